package suites;

import java.io.IOException;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemBehaviorTestSuite;
import org.apache.flink.core.fs.FileSystemKind;
import org.apache.flink.core.fs.Path;

/** What Flink asks of any file system. */
class AlluxioBehaviorTest extends FileSystemBehaviorTestSuite {
  @Override
  protected FileSystem getFileSystem() throws IOException {
    return getBasePath().getFileSystem();
  }

  @Override
  protected Path getBasePath() {
    return new Path(System.getProperty("alluxio.uri") + "/flink-behavior");
  }

  @Override
  protected FileSystemKind getFileSystemKind() {
    return FileSystemKind.FILE_SYSTEM;
  }
}
