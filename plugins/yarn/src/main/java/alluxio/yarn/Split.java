package alluxio.yarn;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** A part of an input, and where the hint service would have it read. */
final class Split {
  /** Length of an input of which only the path is known. */
  static final long WHOLE = -1;

  final String path;
  final long offset;
  final long length;
  /** Empty: anywhere. */
  final String host;
  /** Whether the host holds it, so that it pays to wait for it. */
  final boolean isLocal;
  /** Other hosts that hold it. */
  final List<String> alternates;

  Split(String path, long offset, long length, String host, boolean isLocal, List<String> alternates) {
    this.path = path;
    this.offset = offset;
    this.length = length;
    this.host = host;
    this.isLocal = isLocal;
    this.alternates = alternates;
  }

  static Split whole(String path) {
    return new Split(path, 0, WHOLE, "", false, List.of());
  }

  /** Whether the other one goes on where this ends. */
  boolean isFollowedBy(Split other) {
    return path.equals(other.path) && length != WHOLE && offset + length == other.offset;
  }

  Split with(Split next) {
    return new Split(path, offset, length + next.length, host, isLocal, alternates);
  }

  /** {@code path:offset:length}, the path percent-encoded, so that it is one word of letters that no shell minds. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
      boolean isPlain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || "/._-".indexOf(b) >= 0;
      if (isPlain) text.append((char) b);
      else text.append(String.format("%%%02X", b));
    }
    return length == WHOLE ? text.toString() : text.append(':').append(offset).append(':').append(length).toString();
  }
}
