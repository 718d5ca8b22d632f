package alluxio.flink;

import alluxio.client.AlluxioClient;
import alluxio.client.ClientOptions;
import java.net.URI;
import java.nio.file.Path;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What Flink finds in {@code plugins/}: makes the file system of {@code alluxio://} from Flink's configuration. */
public final class AlluxioFileSystemFactory implements FileSystemFactory {
  static final ConfigOption<String> PROXY =
      ConfigOptions.key("fs.alluxio.proxy")
          .stringType()
          .defaultValue(ClientOptions.DEFAULT_PROXY)
          .withDescription("host:port of a proxy's WebHDFS gateway, for paths that name none.");
  static final ConfigOption<String> USER =
      ConfigOptions.key("fs.alluxio.user")
          .stringType()
          .noDefaultValue()
          .withDescription("The user of all calls; the one of the process if not set.");
  static final ConfigOption<String> TOKEN =
      ConfigOptions.key("fs.alluxio.token")
          .stringType()
          .noDefaultValue()
          .withDescription("A delegation token of the gateway, which then says who calls.");
  static final ConfigOption<String> HINTS =
      ConfigOptions.key("fs.alluxio.hints")
          .stringType()
          .defaultValue("proxy")
          .withDescription("Who says where splits should be read: proxy, host:port of the master's web port, or off.");
  private static final Logger LOG = LoggerFactory.getLogger(AlluxioFileSystemFactory.class);
  private static final int DEFAULT_PORT = 39870;

  private Configuration configuration = new Configuration();

  @Override
  public String getScheme() {
    return "alluxio";
  }

  @Override
  public void configure(Configuration from) {
    configuration = from;
  }

  @Override
  public FileSystem create(URI uri) {
    String proxy = proxyOf(uri);
    String hints = configuration.get(HINTS);
    ClientOptions options =
        ClientOptions.of(proxy, configuration.get(USER, System.getProperty("user.name")))
            .withToken(configuration.get(TOKEN))
            .withHints(
                hints.equals("proxy") ? proxy : hints.equals("off") ? null : hints, ClientOptions.DEFAULT_HINT_TIMEOUT_MS);
    String[] temporary = ConfigurationUtils.parseTempDirectories(configuration);
    return new AlluxioFlinkFileSystem(uri, new AlluxioClient(options, LOG::warn), Path.of(temporary[0]));
  }

  private String proxyOf(URI uri) {
    String authority = uri.getAuthority();
    if (authority == null || authority.isEmpty()) return configuration.get(PROXY);
    boolean hasPort = authority.lastIndexOf(':') > authority.lastIndexOf(']');
    return hasPort ? authority : authority + ":" + DEFAULT_PORT;
  }
}
