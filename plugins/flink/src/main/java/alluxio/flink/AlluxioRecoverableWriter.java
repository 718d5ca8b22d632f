package alluxio.flink;

import java.io.IOException;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream.Committer;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Part files of sinks, exactly once: see {@link PartHandle} for the files and {@link PartFiles} for what happens to them. */
final class AlluxioRecoverableWriter implements RecoverableWriter {
  private final PartFiles files;
  private final java.nio.file.Path spoolFolder;

  /** @param spoolFolder of this machine */
  AlluxioRecoverableWriter(FileSystem fs, java.nio.file.Path spoolFolder, Patience patience) {
    this.files = new PartFiles(fs, patience);
    this.spoolFolder = spoolFolder;
  }

  @Override
  public RecoverableFsDataOutputStream open(Path target) {
    return new PartStream(PartHandle.opened(target), files, spoolFolder);
  }

  @Override
  public RecoverableFsDataOutputStream recover(ResumeRecoverable recoverable) throws IOException {
    PartHandle part = handle(recoverable);
    if (files.exists(part.target())) throw new IOException(part.target() + " is published already");
    files.settle(part);
    return new PartStream(part.resumed(), files, spoolFolder);
  }

  @Override
  public Committer recoverForCommit(CommitRecoverable recoverable) {
    return new PartStream.PartCommitter(handle(recoverable), files);
  }

  /** What an older checkpoint holds is a part of what the newer one holds. */
  @Override
  public boolean requiresCleanupOfRecoverableState() {
    return false;
  }

  @Override
  public boolean cleanupRecoverableState(ResumeRecoverable recoverable) {
    return false;
  }

  @Override
  public boolean supportsResume() {
    return true;
  }

  @Override
  @SuppressWarnings({"unchecked", "rawtypes"})
  public SimpleVersionedSerializer<CommitRecoverable> getCommitRecoverableSerializer() {
    return (SimpleVersionedSerializer) PartHandle.SERIALIZER;
  }

  @Override
  @SuppressWarnings({"unchecked", "rawtypes"})
  public SimpleVersionedSerializer<ResumeRecoverable> getResumeRecoverableSerializer() {
    return (SimpleVersionedSerializer) PartHandle.SERIALIZER;
  }

  private static PartHandle handle(CommitRecoverable recoverable) {
    if (recoverable instanceof PartHandle) return (PartHandle) recoverable;
    throw new IllegalArgumentException("not a part file of alluxio://: " + recoverable);
  }
}
