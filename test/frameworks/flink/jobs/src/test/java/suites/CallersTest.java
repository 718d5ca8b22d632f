package suites;

import java.io.IOException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Files by a user that the configuration names, and by a token's; flink.test.ts looks whose they are. */
class CallersTest {
  @AfterEach
  void forget() {
    FileSystem.initialize(new Configuration(), null);
  }

  private void write(String name, String key, String value) throws IOException {
    Configuration configuration = new Configuration();
    configuration.setString(key, value);
    FileSystem.initialize(configuration, null);
    Path path = new Path(System.getProperty("alluxio.uri") + "/flink-callers/" + name);
    try (FSDataOutputStream out = path.getFileSystem().create(path, FileSystem.WriteMode.NO_OVERWRITE)) {
      out.write(1);
    }
  }

  @Test
  void aUserOfTheConfiguration() throws IOException {
    write("user", "fs.alluxio.user", "bob");
  }

  @Test
  void aToken() throws IOException {
    write("token", "fs.alluxio.token", System.getProperty("alluxio.token"));
  }
}
