package alluxio.contract;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.contract.AbstractFSContract;

/** The contract of the file system that -Dfs.uri names, as `contract.xml` states it. */
public class NamedContract extends AbstractFSContract {
  static final Path ROOT = new Path("/contract");
  private static final URI FILE_SYSTEM = URI.create(System.getProperty("fs.uri", "none:///"));

  public NamedContract(Configuration conf) {
    super(conf);
    String scheme = FILE_SYSTEM.getScheme();
    // On a local file system a test of this suite copies and deletes the root folder of the machine.
    if (!scheme.equals("webhdfs") && !scheme.equals("alluxio")) {
      throw new IllegalStateException("the contract suite is refused on " + FILE_SYSTEM);
    }
    addConfResource("contract.xml");
  }

  @Override
  public FileSystem getTestFileSystem() throws IOException {
    return FileSystem.get(FILE_SYSTEM, getConf());
  }

  @Override
  public String getScheme() {
    return FILE_SYSTEM.getScheme();
  }

  @Override
  public Path getTestPath() {
    return ROOT;
  }
}
