package alluxio.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * What a checkpoint keeps of a part file: how many bytes it has and in which files they are. Immutable.
 *
 * <p>Beside the target {@code part-0} there are
 *
 * <pre>
 * .part-0.inprogress.RUN.N            all bytes up to segment N of the stream RUN
 * .part-0.inprogress.RUN.segments/I   the bytes of that stream between two checkpoints
 * </pre>
 *
 * A RUN is one stream of one attempt, and what it has written is never written again; so RUN and N name the same bytes for ever,
 * whoever looks. A stream that was recovered is a new RUN, which begins with the whole of another as its base.
 */
final class PartHandle implements RecoverableWriter.ResumeRecoverable {
  static final SimpleVersionedSerializer<PartHandle> SERIALIZER = new Serializer();

  private final Path target;
  private final String run;
  private final int segments;
  /** Name of the file with the bytes before the first segment; empty if there are none. */
  private final String base;
  private final long length;

  private PartHandle(Path target, String run, int segments, String base, long length) {
    this.target = target;
    this.run = run;
    this.segments = segments;
    this.base = base;
    this.length = length;
  }

  /** A new stream without bytes. */
  static PartHandle opened(Path target) {
    return new PartHandle(target, newRun(), 0, "", 0);
  }

  /** A new stream that begins with the bytes of this one. */
  PartHandle resumed() {
    return new PartHandle(target, newRun(), 0, whole().getName(), length);
  }

  /** The same stream with one segment more. */
  PartHandle extended(long bytes) {
    return new PartHandle(target, run, segments + 1, base, length + bytes);
  }

  private static String newRun() {
    return UUID.randomUUID().toString().replace("-", "");
  }

  Path target() {
    return target;
  }

  /** Of all bytes. */
  long length() {
    return length;
  }

  /** The one file that holds exactly these bytes, once it was made. */
  Path whole() {
    return segments == 0 && !base.isEmpty() ? sibling(base) : inProgress("." + segments);
  }

  /** Where the next segment goes. */
  Path nextSegment() {
    return segment(segments + 1);
  }

  /** The first segment of a new part is whole already. */
  private Path segment(int number) {
    if (number == 1 && base.isEmpty()) return inProgress(".1");
    return new Path(segmentsFolder(), Integer.toString(number));
  }

  /** Of this stream; what is in it beyond these bytes came later. */
  Path segmentsFolder() {
    return inProgress(".segments");
  }

  /** The files whose bytes, one after another, are the part. */
  List<Path> pieces() {
    List<Path> pieces = new ArrayList<>(segments + 1);
    if (!base.isEmpty()) pieces.add(sibling(base));
    for (int number = 1; number <= segments; number++) pieces.add(segment(number));
    return pieces;
  }

  /** What is of no use beside the whole, apart from the folder of segments. */
  List<Path> remains() {
    Path first = base.isEmpty() ? segment(1) : sibling(base);
    return first.equals(whole()) ? List.of() : List.of(first);
  }

  private Path inProgress(String suffix) {
    return sibling("." + target.getName() + ".inprogress." + run + suffix);
  }

  private Path sibling(String name) {
    return new Path(target.getParent(), name);
  }

  @Override
  public String toString() {
    return target + " (" + length + " bytes, stream " + run + ", segment " + segments + ")";
  }

  private static final class Serializer implements SimpleVersionedSerializer<PartHandle> {
    private static final int VERSION = 1;

    @Override
    public int getVersion() {
      return VERSION;
    }

    @Override
    public byte[] serialize(PartHandle part) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
      DataOutputStream out = new DataOutputStream(bytes);
      out.writeUTF(part.target.toString());
      out.writeUTF(part.run);
      out.writeInt(part.segments);
      out.writeUTF(part.base);
      out.writeLong(part.length);
      return bytes.toByteArray();
    }

    @Override
    public PartHandle deserialize(int version, byte[] serialized) throws IOException {
      if (version != VERSION) throw new IOException("a part file of version " + version + " is unknown to this plug-in");
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(serialized));
      return new PartHandle(new Path(in.readUTF()), in.readUTF(), in.readInt(), in.readUTF(), in.readLong());
    }
  }
}
