package suites;

import java.io.IOException;
import org.apache.flink.core.fs.AbstractRecoverableWriterTest;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/** What Flink asks of any writer of sinks. */
class AlluxioRecoverableWriterTest extends AbstractRecoverableWriterTest {
  @Override
  public Path getBasePath() {
    return new Path(System.getProperty("alluxio.uri") + "/flink-writer");
  }

  @Override
  public FileSystem initializeFileSystem() throws IOException {
    return getBasePath().getFileSystem();
  }
}
