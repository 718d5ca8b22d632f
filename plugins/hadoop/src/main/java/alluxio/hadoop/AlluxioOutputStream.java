package alluxio.hadoop;

import alluxio.client.FileWriter;
import alluxio.client.RemoteFailure;
import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.StreamCapabilities;

/** A file being written. It promises neither hflush nor hsync: nothing can be read before {@code close}. */
final class AlluxioOutputStream extends OutputStream implements StreamCapabilities, Abortable {
  private final FileWriter writer;

  AlluxioOutputStream(FileWriter writer) {
    this.writer = writer;
  }

  @Override
  public void write(int b) throws IOException {
    try {
      writer.write(b);
    } catch (RemoteFailure failure) {
      throw RemoteExceptions.of(failure);
    }
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    try {
      writer.write(bytes, offset, length);
    } catch (RemoteFailure failure) {
      throw RemoteExceptions.of(failure);
    }
  }

  @Override
  public void flush() throws IOException {
    try {
      writer.flush();
    } catch (RemoteFailure failure) {
      throw RemoteExceptions.of(failure);
    }
  }

  @Override
  public void close() throws IOException {
    try {
      writer.close();
    } catch (RemoteFailure failure) {
      throw RemoteExceptions.of(failure);
    }
  }

  @Override
  public AbortableResult abort() {
    writer.abort();
    return new AbortableResult() {
      @Override
      public boolean alreadyClosed() {
        return false;
      }

      @Override
      public IOException anyCleanupException() {
        return null;
      }
    };
  }

  @Override
  public boolean hasCapability(String capability) {
    return CommonPathCapabilities.ABORTABLE_STREAM.equals(capability);
  }
}
