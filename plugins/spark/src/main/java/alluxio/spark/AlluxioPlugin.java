package alluxio.spark;

import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.SparkPlugin;

/** {@code spark.plugins=alluxio.spark.AlluxioPlugin}, with the jar of {@code alluxio://} beside it. */
public final class AlluxioPlugin implements SparkPlugin {
  @Override
  public DriverPlugin driverPlugin() {
    return new AlluxioDriver();
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new AlluxioExecutor();
  }
}
