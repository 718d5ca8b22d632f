package alluxio.spark;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import java.util.Iterator;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.StorageStatistics;

/** What the clients of this JVM count, as Spark's metrics. */
final class ReadMetrics {
  /** Under which the jar of {@code alluxio://} counts. */
  private static final String CLIENT = "alluxio.client";

  private ReadMetrics() {}

  static void register(MetricRegistry registry) {
    gauge(registry, "read.local.bytes", () -> count("localBytes"));
    gauge(registry, "read.remote.bytes", () -> count("remoteBytes") - count("storeBytes"));
    gauge(registry, "read.store.bytes", () -> count("storeBytes"));
    gauge(registry, "read.failed.sources", () -> count("failedSources"));
    gauge(registry, "hints.answered", () -> count("hintsAnswered"));
    gauge(registry, "hints.unanswered", () -> count("hintsUnanswered"));
  }

  private static void gauge(MetricRegistry registry, String name, Gauge<Long> gauge) {
    registry.register(name, gauge);
  }

  /** 0 before the first client. */
  private static long count(String key) {
    Iterator<StorageStatistics> all = FileSystem.getGlobalStorageStatistics().iterator();
    while (all.hasNext()) {
      StorageStatistics statistics = all.next();
      if (!statistics.getName().equals(CLIENT)) continue;
      Long value = statistics.getLong(key);
      return value == null ? 0 : value;
    }
    return 0;
  }
}
