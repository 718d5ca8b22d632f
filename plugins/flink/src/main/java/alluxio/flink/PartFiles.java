package alluxio.flink;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/**
 * The files of parts that are not published yet. Each method may be repeated after a crash at any point, also by two processes that
 * both believe to be the right one: a file appears whole or not at all, and its name says which bytes it holds.
 */
final class PartFiles {
  private static final long ABSENT = -1;
  private static final int CHUNK_BYTES = 1 << 20;

  private final FileSystem fs;
  private final Patience patience;

  PartFiles(FileSystem fs, Patience patience) {
    this.fs = fs;
    this.patience = patience;
  }

  /** Stores the bytes as the next segment of the part, which is returned. */
  PartHandle extend(PartHandle part, Spool spool) throws IOException {
    Path segment = part.nextSegment();
    patience.with(
        () -> {
          try (FSDataOutputStream out = fs.create(segment, FileSystem.WriteMode.OVERWRITE)) {
            spool.sendTo(out);
          }
          return null;
        });
    return part.extended(spool.length());
  }

  /**
   * Leaves one file with exactly these bytes, and nothing that was written after them.
   *
   * @throws FileNotFoundException when the bytes are gone: published, or given up by a recovery from an earlier checkpoint
   */
  Path settle(PartHandle part) throws IOException {
    return patience.with(() -> settleOnce(part));
  }

  private Path settleOnce(PartHandle part) throws IOException {
    Path whole = part.whole();
    long length = lengthOf(whole);
    if (length == ABSENT) length = join(part, whole);
    if (length != part.length()) throw new IOException(whole + " has " + length + " bytes instead of " + part.length());
    fs.delete(part.segmentsFolder(), true);
    for (Path remains : part.remains()) fs.delete(remains, false);
    return whole;
  }

  /**
   * Makes the part visible under its own name; once that was done it does nothing.
   *
   * @throws IOException when something else has that name
   */
  void publish(PartHandle part) throws IOException {
    patience.with(
        () -> {
          try {
            publishOnce(part);
          } catch (FileNotFoundException e) {
            // Nothing of ours is left: only a rename that came through leaves it so.
            if (lengthOf(part.target()) != part.length()) throw e;
          }
          return null;
        });
  }

  private void publishOnce(PartHandle part) throws IOException {
    Path whole = settleOnce(part);
    if (fs.rename(whole, part.target())) return;
    // One who was taken for dead may have made the whole again after another had published it.
    if (!sameBytes(whole, part.target())) throw new IOException(part.target() + " exists already");
    fs.delete(whole, false);
  }

  boolean exists(Path path) throws IOException {
    return patience.with(() -> lengthOf(path) != ABSENT);
  }

  /** Makes the whole from the pieces. Returns its length. */
  private long join(PartHandle part, Path whole) throws IOException {
    if (part.length() == 0) {
      fs.create(whole, FileSystem.WriteMode.OVERWRITE).close();
      return 0;
    }
    List<Path> pieces = part.pieces();
    Path last = pieces.get(pieces.size() - 1);
    // The folder goes first and as one: with its last segment all pieces are there.
    if (lengthOf(last) == ABSENT)
      throw new FileNotFoundException(
          last + " is gone: " + part + " was published, or given up by a recovery from an earlier checkpoint");
    Path joining = new Path(part.segmentsFolder(), "joining." + UUID.randomUUID());
    long length = 0;
    try (FSDataOutputStream out = fs.create(joining, FileSystem.WriteMode.NO_OVERWRITE)) {
      for (Path piece : pieces) length += copy(piece, out);
    } catch (FileNotFoundException e) {
      fs.delete(joining, false);
      throw e;
    }
    if (length != part.length()) throw new IOException("the pieces of " + part + " have " + length + " bytes");
    // Who comes second finds the file of the first, which holds the same bytes.
    if (!fs.rename(joining, whole) && lengthOf(whole) != length) throw new IOException(whole + " could not be made");
    return length;
  }

  private long copy(Path from, OutputStream to) throws IOException {
    byte[] chunk = new byte[CHUNK_BYTES];
    long length = 0;
    try (InputStream in = fs.open(from)) {
      for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
        to.write(chunk, 0, n);
        length += n;
      }
    }
    return length;
  }

  private boolean sameBytes(Path one, Path other) throws IOException {
    if (lengthOf(one) != lengthOf(other)) return false;
    byte[] ours = new byte[CHUNK_BYTES];
    byte[] theirs = new byte[CHUNK_BYTES];
    try (InputStream a = fs.open(one);
        InputStream b = fs.open(other)) {
      for (; ; ) {
        int n = a.readNBytes(ours, 0, CHUNK_BYTES);
        int m = b.readNBytes(theirs, 0, CHUNK_BYTES);
        if (n != m || !Arrays.equals(ours, 0, n, theirs, 0, m)) return false;
        if (n < CHUNK_BYTES) return true;
      }
    }
  }

  private long lengthOf(Path path) throws IOException {
    try {
      return fs.getFileStatus(path).getLen();
    } catch (FileNotFoundException e) {
      return ABSENT;
    }
  }
}
