package alluxio.spark;

import alluxio.client.TaskHosts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Map;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the driver on which node this executor runs, and its metrics what was read from where. */
final class AlluxioExecutor implements ExecutorPlugin {
  private static final Logger LOG = LoggerFactory.getLogger(AlluxioExecutor.class);
  /** As Spark calls the executor of a program without a cluster, which is in the driver's JVM. */
  private static final String DRIVER = "driver";

  @Override
  public void init(PluginContext plugin, Map<String, String> extraConf) {
    if (!plugin.executorID().equals(DRIVER)) {
      // Where many paths are listed, tasks list them.
      TaskHosts.ofThisProgram().follow(() -> (String) plugin.ask(new String[] {AlluxioDriver.HOSTS}));
      ReadMetrics.register(plugin.metricRegistry());
    }
    String variable = plugin.conf().get(PluginOptions.NODE_VARIABLE, PluginOptions.DEFAULT_NODE_VARIABLE);
    String node = System.getenv(variable);
    try {
      if (node == null || node.isEmpty()) node = InetAddress.getLocalHost().getHostName();
      plugin.send(new String[] {AlluxioDriver.NODE, plugin.executorID(), node});
    } catch (UnknownHostException e) {
      LOG.warn("The node of executor {} is not known: set {} in its environment", plugin.executorID(), variable, e);
    } catch (IOException e) {
      LOG.warn("The driver was not told that executor {} runs on {}", plugin.executorID(), node, e);
    }
  }

  @Override
  public void shutdown() {
    TaskHosts.ofThisProgram().end();
  }
}
