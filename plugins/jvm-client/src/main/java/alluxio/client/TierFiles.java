package alluxio.client;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** Open tier files by path, one for all readers: pages are mapped, faulted in and verified once. A path holds one block for ever. */
final class TierFiles {
  private final Map<String, TierFile> open = new HashMap<>();

  /** Retained for the caller. @throws IOException as {@code TierFile.open} */
  synchronized TierFile open(String path, long blockId, long length, boolean trustSeal) throws IOException {
    TierFile known = open.get(path);
    if (known != null && known.retain()) {
      if (known.isUnchanged()) return known;
      release(known);
    }
    TierFile file = TierFile.open(path, blockId, length, trustSeal);
    open.put(path, file);
    return file;
  }

  void release(TierFile file) {
    if (file.release()) forget(file);
  }

  /** Nobody gets this one again. */
  synchronized void forget(TierFile file) {
    open.remove(file.path, file);
  }
}
