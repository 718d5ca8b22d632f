package alluxio.flink;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.apache.flink.core.fs.RecoverableWriter.CommitRecoverable;
import org.apache.flink.core.fs.RecoverableWriter.ResumeRecoverable;

/** A part file that is being written. What no checkpoint has taken yet is in the spool. */
final class PartStream extends RecoverableFsDataOutputStream {
  private final PartFiles files;
  private final Spool spool;
  private PartHandle persisted;
  private boolean closed;

  /** @param spoolFolder of this machine */
  PartStream(PartHandle persisted, PartFiles files, Path spoolFolder) {
    this.persisted = persisted;
    this.files = files;
    this.spool = new Spool(spoolFolder);
  }

  @Override
  public void write(int one) throws IOException {
    assertOpen();
    spool.write((byte) one);
  }

  @Override
  public void write(byte[] bytes, int from, int length) throws IOException {
    assertOpen();
    spool.write(bytes, from, length);
  }

  @Override
  public long getPos() {
    return persisted.length() + spool.length();
  }

  @Override
  public void flush() throws IOException {
    assertOpen();
  }

  @Override
  public void sync() throws IOException {
    assertOpen();
    spool.sync();
  }

  @Override
  public ResumeRecoverable persist() throws IOException {
    assertOpen();
    if (spool.length() > 0) {
      persisted = files.extend(persisted, spool);
      spool.clear();
    }
    return persisted;
  }

  @Override
  public Committer closeForCommit() throws IOException {
    persist();
    close();
    return new PartCommitter(persisted, files);
  }

  /** Gives up what no checkpoint has taken; the rest stays for a recovery. */
  @Override
  public void close() throws IOException {
    closed = true;
    spool.close();
  }

  private void assertOpen() throws IOException {
    if (closed) throw new IOException("the stream to " + persisted.target() + " is closed");
  }

  static final class PartCommitter implements Committer {
    private final PartHandle part;
    private final PartFiles files;

    PartCommitter(PartHandle part, PartFiles files) {
      this.part = part;
      this.files = files;
    }

    @Override
    public void commit() throws IOException {
      files.publish(part);
    }

    @Override
    public void commitAfterRecovery() throws IOException {
      files.publish(part);
    }

    @Override
    public CommitRecoverable getRecoverable() {
      return part;
    }
  }
}
