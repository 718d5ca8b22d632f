package alluxio.flink;

import alluxio.client.FileWriter;
import java.io.IOException;
import org.apache.flink.core.fs.FSDataOutputStream;

/** A new file, which is there once it is closed. */
final class AlluxioOutputStream extends FSDataOutputStream {
  private final FileWriter writer;

  AlluxioOutputStream(FileWriter writer) {
    this.writer = writer;
  }

  @Override
  public long getPos() {
    return writer.bytesWritten();
  }

  @Override
  public void write(int one) throws IOException {
    writer.write(one);
  }

  @Override
  public void write(byte[] bytes, int from, int length) throws IOException {
    writer.write(bytes, from, length);
  }

  @Override
  public void flush() throws IOException {
    writer.flush();
  }

  /** Files are made whole or not at all: nothing is safe before {@code close}. */
  @Override
  public void sync() throws IOException {
    writer.flush();
  }

  @Override
  public void close() throws IOException {
    writer.close();
  }
}
