package alluxio.spark;

import alluxio.client.TaskHosts;
import java.util.Collections;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorAdded;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;

/** Tells the file system of this JVM which executors live and where, and sees to the inputs of the job. */
final class AlluxioDriver implements DriverPlugin {
  /** Messages of executors: {@code {NODE, executor, node}}, and {@code {HOSTS}}, which is answered. */
  static final String NODE = "node";
  static final String HOSTS = "hosts";

  private final TaskHosts taskHosts = TaskHosts.ofThisProgram();
  private JobInputs inputs;

  @Override
  public Map<String, String> init(SparkContext context, PluginContext plugin) {
    PluginOptions options = new PluginOptions(context.getConf());
    taskHosts.begin(options.form, options.executors, options.executorsWaitMs);
    context.addSparkListener(
        new SparkListener() {
          @Override
          public void onExecutorAdded(SparkListenerExecutorAdded added) {
            taskHosts.runs(added.executorId(), added.executorInfo().executorHost());
          }

          @Override
          public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
            taskHosts.gone(removed.executorId());
          }
        });
    inputs = new JobInputs(context.hadoopConfiguration());
    inputs.prepare(options);
    return Collections.emptyMap();
  }

  @Override
  public void registerMetrics(String appId, PluginContext plugin) {
    ReadMetrics.register(plugin.metricRegistry());
  }

  @Override
  public Object receive(Object message) {
    String[] words = (String[]) message;
    if (words[0].equals(HOSTS)) return taskHosts.known();
    taskHosts.runsOn(words[1], words[2]);
    return null;
  }

  @Override
  public void shutdown() {
    if (inputs != null) inputs.release();
    taskHosts.end();
  }
}
