package alluxio.flink;

import org.apache.flink.core.fs.BlockLocation;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.LocatedFileStatus;
import org.apache.flink.core.fs.Path;

/** Metadata of a path as Flink wants it. */
class AlluxioFileStatus implements FileStatus {
  private final Path path;
  private final alluxio.client.FileStatus status;

  private AlluxioFileStatus(Path path, alluxio.client.FileStatus status) {
    this.path = path;
    this.status = status;
  }

  static FileStatus of(Path path, alluxio.client.FileStatus status) {
    return new AlluxioFileStatus(path, status);
  }

  static FileStatus located(Path path, alluxio.client.FileStatus status, BlockLocation[] locations) {
    return status.isDirectory() ? of(path, status) : new Located(path, status, locations);
  }

  private static final class Located extends AlluxioFileStatus implements LocatedFileStatus {
    private final BlockLocation[] locations;

    Located(Path path, alluxio.client.FileStatus status, BlockLocation[] locations) {
      super(path, status);
      this.locations = locations;
    }

    @Override
    public BlockLocation[] getBlockLocations() {
      return locations.clone();
    }
  }

  @Override
  public long getLen() {
    return status.length();
  }

  @Override
  public long getBlockSize() {
    return status.blockSize();
  }

  @Override
  public short getReplication() {
    return (short) status.replication();
  }

  @Override
  public long getModificationTime() {
    return status.modificationTimeMs();
  }

  @Override
  public long getAccessTime() {
    return status.accessTimeMs();
  }

  @Override
  public boolean isDir() {
    return status.isDirectory();
  }

  @Override
  public Path getPath() {
    return path;
  }

  @Override
  public String toString() {
    return path + (isDir() ? "" : " (" + getLen() + " bytes)");
  }
}
