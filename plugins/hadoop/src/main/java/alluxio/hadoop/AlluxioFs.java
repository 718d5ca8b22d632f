package alluxio.hadoop;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/** {@code fs.AbstractFileSystem.alluxio.impl}: what FileContext uses, for example in YARN and the history server of MapReduce. */
public final class AlluxioFs extends DelegateToFileSystem {
  public AlluxioFs(URI uri, Configuration conf) throws IOException, URISyntaxException {
    super(uri, new AlluxioFileSystem(), conf, AlluxioFileSystem.SCHEME, false);
  }

  /** -1: a URI without a port keeps none, as in {@code AlluxioFileSystem.getUri}. */
  @Override
  public int getUriDefaultPort() {
    return -1;
  }
}
