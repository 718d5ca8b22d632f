package alluxio.flink;

import alluxio.client.FileReader;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.core.fs.ByteBufferReadable;
import org.apache.flink.core.fs.FSDataInputStream;

/** A file being read from where it stands. */
final class AlluxioInputStream extends FSDataInputStream implements ByteBufferReadable {
  private final FileReader reader;
  private final byte[] one = new byte[1];
  private long position;

  AlluxioInputStream(FileReader reader) {
    this.reader = reader;
  }

  @Override
  public void seek(long to) throws IOException {
    if (to < 0 || to > reader.length()) throw new EOFException("position " + to + " of " + reader.length());
    position = to;
  }

  @Override
  public long getPos() {
    return position;
  }

  @Override
  public int read() throws IOException {
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    int n = reader.read(position, target, offset, length);
    if (n > 0) position += n;
    return n;
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    int n = reader.read(position, target);
    if (n > 0) position += n;
    return n;
  }

  @Override
  public int read(long from, ByteBuffer target) throws IOException {
    return reader.read(from, target);
  }

  @Override
  public long skip(long count) {
    long skipped = Math.max(0, Math.min(count, reader.length() - position));
    position += skipped;
    return skipped;
  }

  @Override
  public int available() {
    return (int) Math.min(Integer.MAX_VALUE, reader.length() - position);
  }

  @Override
  public void close() {
    reader.close();
  }
}
