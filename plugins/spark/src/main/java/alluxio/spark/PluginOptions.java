package alluxio.spark;

import alluxio.client.TaskHosts.Form;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;

/** The confs {@code spark.alluxio.*}, documented in docs/guides/spark.md. */
final class PluginOptions {
  /** Of the variable in the environment of executors that names their node. */
  static final String NODE_VARIABLE = "spark.alluxio.executor.node.env";
  static final String DEFAULT_NODE_VARIABLE = "ALLUXIO_NODE_NAME";

  final Form form;
  /** 0: not known. */
  final int executors;
  final long executorsWaitMs;
  final List<String> warm;
  final long warmWaitMs;
  final List<String> pin;

  PluginOptions(SparkConf conf) {
    boolean comeAndGo = conf.getBoolean("spark.dynamicAllocation.enabled", false);
    form = form(conf.get("spark.alluxio.locations", "auto"), conf.get("spark.master", ""), comeAndGo);
    // Who begins with none starts them only when there are tasks.
    executors = initialExecutors(conf, comeAndGo);
    executorsWaitMs = form == Form.ANY_HOST || (comeAndGo && executors == 0) ? 0 : conf.getTimeAsMs("spark.alluxio.executors.wait", "10s");
    warm = list(conf.get("spark.alluxio.warm", ""));
    warmWaitMs = conf.getTimeAsMs("spark.alluxio.warm.wait", "0s");
    pin = list(conf.get("spark.alluxio.pin", ""));
  }

  static Form form(String wanted, String master, boolean comeAndGo) {
    switch (wanted) {
      case "executor":
        return Form.EXECUTOR;
      case "host":
        // Where tasks wait for data is where executors are asked for.
        return comeAndGo ? Form.ANY_HOST : Form.HOST;
      case "auto":
        if (master.startsWith("k8s://")) return Form.EXECUTOR;
        return comeAndGo ? Form.ANY_HOST : Form.HOST;
      default:
        throw new IllegalArgumentException("spark.alluxio.locations is " + wanted + ": it can be auto, host or executor");
    }
  }

  private static int initialExecutors(SparkConf conf, boolean comeAndGo) {
    int instances = conf.getInt("spark.executor.instances", 0);
    if (!comeAndGo) return instances;
    int least = conf.getInt("spark.dynamicAllocation.minExecutors", 0);
    return Math.max(instances, Math.max(least, conf.getInt("spark.dynamicAllocation.initialExecutors", 0)));
  }

  static List<String> list(String text) {
    List<String> items = new ArrayList<>();
    for (String item : text.split(",")) if (!item.isBlank()) items.add(item.trim());
    return items;
  }
}
