package alluxio.hadoop;

import alluxio.client.FileReader;
import alluxio.client.RemoteFailure;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Objects;
import org.apache.hadoop.fs.ByteBufferPositionedReadable;
import org.apache.hadoop.fs.ByteBufferReadable;
import org.apache.hadoop.fs.CanUnbuffer;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem.Statistics;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * An open file with a position. Positioned reads do not touch it and may come from many threads; vectored ones (Hadoop 3.3.5) are
 * the inherited ones, which make a positioned read into a buffer of each range.
 */
final class AlluxioInputStream extends FSInputStream
    implements ByteBufferReadable, ByteBufferPositionedReadable, CanUnbuffer, StreamCapabilities {
  /** Reads below this come out of a buffer, filled by one read of this size. */
  private static final int BUFFER_BYTES = 16 * 1024;

  private final FileReader reader;
  private final Statistics statistics;
  private byte[] buffer;
  /** Where in the file the buffer begins, and how many bytes it has. */
  private long bufferAt;
  private int buffered;
  private long position;
  private boolean closed;

  AlluxioInputStream(FileReader reader, Statistics statistics) {
    this.reader = reader;
    this.statistics = statistics;
  }

  @Override
  public synchronized int read() throws IOException {
    checkOpen();
    if (position >= reader.length()) return -1;
    if (!isBuffered()) refill();
    int value = buffer[(int) (position++ - bufferAt)] & 0xff;
    count(1);
    return value;
  }

  @Override
  public synchronized int read(byte[] target, int offset, int length) throws IOException {
    checkOpen();
    Objects.checkFromIndexSize(offset, length, target.length);
    if (length == 0) return 0;
    int n;
    if (position < reader.length() && (isBuffered() || length < BUFFER_BYTES / 2)) {
      if (!isBuffered()) refill();
      int from = (int) (position - bufferAt);
      n = Math.min(length, buffered - from);
      System.arraycopy(buffer, from, target, offset, n);
    } else n = at(position, ByteBuffer.wrap(target, offset, length));
    if (n > 0) {
      position += n;
      count(n);
    }
    return n;
  }

  @Override
  public synchronized int read(ByteBuffer target) throws IOException {
    checkOpen();
    int n = at(position, target);
    if (n > 0) {
      position += n;
      count(n);
    }
    return n;
  }

  @Override
  public int read(long at, byte[] target, int offset, int length) throws IOException {
    checkOpen();
    validatePositionedReadArgs(at, target, offset, length);
    if (length == 0) return 0;
    int n = at(at, ByteBuffer.wrap(target, offset, length));
    if (n > 0) count(n);
    return n;
  }

  @Override
  public int read(long at, ByteBuffer target) throws IOException {
    checkOpen();
    if (at < 0) throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    int n = at(at, target);
    if (n > 0) count(n);
    return n;
  }

  @Override
  public void readFully(long at, byte[] target, int offset, int length) throws IOException {
    checkOpen();
    validatePositionedReadArgs(at, target, offset, length);
    readFully(at, ByteBuffer.wrap(target, offset, length));
  }

  @Override
  public void readFully(long at, ByteBuffer target) throws IOException {
    checkOpen();
    if (at < 0) throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    int wanted = target.remaining();
    int n = wanted == 0 ? 0 : at(at, target);
    if (n < wanted) throw new EOFException(FSExceptionMessages.EOF_IN_READ_FULLY);
    count(n);
  }

  @Override
  public synchronized void seek(long target) throws IOException {
    checkOpen();
    if (target < 0) throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    if (target > reader.length()) throw new EOFException(FSExceptionMessages.CANNOT_SEEK_PAST_EOF);
    position = target;
  }

  @Override
  public synchronized long skip(long count) throws IOException {
    checkOpen();
    long n = Math.max(0, Math.min(count, reader.length() - position));
    position += n;
    return n;
  }

  @Override
  public synchronized long getPos() {
    return position;
  }

  @Override
  public boolean seekToNewSource(long target) {
    // Another replica is taken by itself when one fails.
    return false;
  }

  @Override
  public synchronized int available() throws IOException {
    checkOpen();
    return (int) Math.min(Integer.MAX_VALUE, reader.length() - position);
  }

  @Override
  public synchronized void unbuffer() {
    buffer = null;
    buffered = 0;
    if (!closed) reader.unbuffer();
  }

  @Override
  public boolean hasCapability(String capability) {
    switch (capability.toLowerCase(Locale.ROOT)) {
      case StreamCapabilities.READBYTEBUFFER:
      case StreamCapabilities.PREADBYTEBUFFER:
      case StreamCapabilities.UNBUFFER:
        return true;
      default:
        return false;
    }
  }

  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    buffer = null;
    buffered = 0;
    reader.close();
  }

  private boolean isBuffered() {
    return position >= bufferAt && position < bufferAt + buffered;
  }

  private void refill() throws IOException {
    if (buffer == null) buffer = new byte[BUFFER_BYTES];
    buffered = 0;
    bufferAt = position;
    buffered = at(position, ByteBuffer.wrap(buffer));
  }

  private int at(long at, ByteBuffer target) throws IOException {
    try {
      return reader.read(at, target);
    } catch (RemoteFailure failure) {
      throw RemoteExceptions.of(failure);
    }
  }

  private void checkOpen() throws IOException {
    if (closed) throw new IOException(FSExceptionMessages.STREAM_IS_CLOSED);
  }

  private void count(int bytes) {
    if (statistics != null) statistics.incrementBytesRead(bytes);
  }
}
