package alluxio.flink;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * The newest bytes of a stream, kept on this machine until a checkpoint wants them: a file that grows by a few bytes a minute
 * would hold an upload open, and an upload that breaks can be sent again. The file has no name, so a killed process leaves none.
 */
final class Spool implements Closeable {
  private static final int BUFFER_BYTES = 64 << 10;

  private final Path folder;
  private final byte[] buffer = new byte[BUFFER_BYTES];
  private int buffered;
  /** Opened when the buffer is full for the first time. */
  private FileChannel file;
  private long filed;

  /** @param folder of the machine; made if it is not there */
  Spool(Path folder) {
    this.folder = folder;
  }

  void write(byte[] bytes, int from, int length) throws IOException {
    if (length > buffer.length - buffered) drain();
    if (length > buffer.length) {
      append(ByteBuffer.wrap(bytes, from, length));
      return;
    }
    System.arraycopy(bytes, from, buffer, buffered, length);
    buffered += length;
  }

  void write(byte one) throws IOException {
    if (buffered == buffer.length) drain();
    buffer[buffered++] = one;
  }

  /** Bytes. */
  long length() {
    return filed + buffered;
  }

  /** All bytes, from the first; may be asked for again. */
  void sendTo(OutputStream out) throws IOException {
    if (filed > 0) {
      byte[] chunk = new byte[(int) Math.min(1 << 20, filed)];
      ByteBuffer into = ByteBuffer.wrap(chunk);
      for (long at = 0; at < filed; at += into.position()) {
        into.clear().limit((int) Math.min(chunk.length, filed - at));
        if (file.read(into, at) < 0) throw new IOException("the temporary file in " + folder + " was cut short");
        out.write(chunk, 0, into.position());
      }
    }
    out.write(buffer, 0, buffered);
  }

  /** To the disk of this machine. */
  void sync() throws IOException {
    drain();
    if (file != null) file.force(false);
  }

  /** Forgets the bytes. */
  void clear() throws IOException {
    buffered = 0;
    filed = 0;
    if (file != null) file.truncate(0);
  }

  @Override
  public void close() throws IOException {
    buffered = 0;
    filed = 0;
    if (file != null) file.close();
    file = null;
  }

  private void drain() throws IOException {
    if (buffered == 0) return;
    append(ByteBuffer.wrap(buffer, 0, buffered));
    buffered = 0;
  }

  private void append(ByteBuffer bytes) throws IOException {
    if (file == null) file = open();
    while (bytes.hasRemaining()) filed += file.write(bytes, filed);
  }

  private FileChannel open() throws IOException {
    Files.createDirectories(folder);
    return FileChannel.open(
        folder.resolve("alluxio-part-" + UUID.randomUUID()),
        StandardOpenOption.CREATE_NEW,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE,
        StandardOpenOption.DELETE_ON_CLOSE);
  }
}
