package alluxio.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * A file being written, or bytes being appended. Nothing is readable before {@code close} returns; when it does, the promise of
 * the cluster's write type holds.
 */
public final class FileWriter extends OutputStream {
  private static final int BUFFER_BYTES = 256 * 1024;
  /** Room before the bytes for the line that tells their number. */
  private static final int HEAD_BYTES = 16;
  private static final byte[] LAST_CHUNK = "0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

  private final AlluxioClient client;
  private final HttpConnection connection;
  private final byte[] buffer = new byte[HEAD_BYTES + BUFFER_BYTES + 2];
  private int filled;
  private long written;
  private boolean ended;
  private IOException failure;

  FileWriter(AlluxioClient client, HttpConnection connection) {
    this.client = client;
    this.connection = connection;
  }

  /** Bytes taken so far. */
  public long bytesWritten() {
    return written;
  }

  @Override
  public void write(int b) throws IOException {
    check();
    buffer[HEAD_BYTES + filled++] = (byte) b;
    written++;
    if (filled == BUFFER_BYTES) send();
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    java.util.Objects.checkFromIndexSize(offset, length, bytes.length);
    check();
    for (int done = 0; done < length; ) {
      int n = Math.min(length - done, BUFFER_BYTES - filled);
      System.arraycopy(bytes, offset + done, buffer, HEAD_BYTES + filled, n);
      filled += n;
      done += n;
      if (filled == BUFFER_BYTES) send();
    }
    written += length;
  }

  /** Hands on what is buffered; it is not readable before {@code close}. */
  @Override
  public void flush() throws IOException {
    if (ended) return;
    check();
    if (filled > 0) send();
  }

  /** Completes the file. @throws IOException when it was not: then nothing of it is left */
  @Override
  public void close() throws IOException {
    if (ended) return;
    ended = true;
    boolean whole = false;
    try {
      if (failure != null) throw failure;
      if (filled > 0) send();
      try {
        connection.write(LAST_CHUNK, 0, LAST_CHUNK.length);
      } catch (IOException e) {
        throw refusal(e);
      }
      connection.receive(false);
      Gateway.read(connection);
      whole = true;
    } finally {
      if (whole) client.pool.give(connection);
      else connection.close();
    }
  }

  /** Gives up; nothing of it is left. */
  public void abort() {
    if (ended) return;
    ended = true;
    connection.close();
  }

  private void check() throws IOException {
    if (ended) throw new IOException("Stream is closed!");
    if (failure != null) throw failure;
  }

  private void send() throws IOException {
    byte[] head = (Integer.toHexString(filled) + "\r\n").getBytes(StandardCharsets.US_ASCII);
    int start = HEAD_BYTES - head.length;
    System.arraycopy(head, 0, buffer, start, head.length);
    buffer[HEAD_BYTES + filled] = '\r';
    buffer[HEAD_BYTES + filled + 1] = '\n';
    try {
      connection.write(buffer, start, head.length + filled + 2);
    } catch (IOException e) {
      failure = refusal(e);
      connection.close();
      throw failure;
    }
    filled = 0;
  }

  /** A server that ends the connection in mid-body has mostly said why before. */
  private IOException refusal(IOException sending) {
    try {
      connection.receive(false);
      Gateway.read(connection);
      return sending;
    } catch (EOFException e) {
      return sending;
    } catch (IOException e) {
      e.addSuppressed(sending);
      return e;
    }
  }
}
