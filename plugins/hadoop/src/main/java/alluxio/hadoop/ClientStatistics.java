package alluxio.hadoop;

import alluxio.client.AlluxioClient;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobalStorageStatistics;
import org.apache.hadoop.fs.StorageStatistics;

/**
 * What all clients of this JVM have read, by source, and how they fared with the hint service: under the name {@value #NAME} in
 * {@link FileSystem#getGlobalStorageStatistics}.
 */
final class ClientStatistics extends StorageStatistics {
  static final String NAME = "alluxio.client";

  private static final String[] KEYS = {
    "localBytes", "remoteBytes", "storeBytes", "dataRequests", "failedSources", "hintsAnswered", "hintsUnanswered"
  };

  static final ClientStatistics OF_THIS_PROGRAM = ofThisProgram();

  private final Set<AlluxioClient> open = ConcurrentHashMap.newKeySet();
  /** Of clients that are closed, less what was there at the last reset. */
  private final long[] before = new long[KEYS.length];

  private ClientStatistics() {
    super(NAME);
  }

  private static ClientStatistics ofThisProgram() {
    StorageStatistics known =
        GlobalStorageStatistics.INSTANCE.put(
            NAME,
            new GlobalStorageStatistics.StorageStatisticsProvider() {
              @Override
              public StorageStatistics provide() {
                return new ClientStatistics();
              }
            });
    // Another class loader of this JVM, such as that of a Hive client, may have brought the jar as well: then its clients are shown.
    return known instanceof ClientStatistics ? (ClientStatistics) known : new ClientStatistics();
  }

  void add(AlluxioClient client) {
    open.add(client);
  }

  synchronized void remove(AlluxioClient client) {
    if (open.remove(client)) addTo(before, client);
  }

  private static void addTo(long[] sums, AlluxioClient client) {
    long[] values = {
      client.tally().localBytes(),
      client.tally().remoteBytes(),
      client.tally().storeBytes(),
      client.tally().dataRequests(),
      client.tally().failedSources(),
      client.locations().answered(),
      client.locations().unanswered()
    };
    for (int i = 0; i < values.length; i++) sums[i] += values[i];
  }

  private synchronized long[] sums() {
    long[] sums = before.clone();
    for (AlluxioClient client : open) addTo(sums, client);
    return sums;
  }

  @Override
  public Iterator<LongStatistic> getLongStatistics() {
    long[] sums = sums();
    Map<String, LongStatistic> all = new LinkedHashMap<>();
    for (int i = 0; i < KEYS.length; i++) all.put(KEYS[i], new LongStatistic(KEYS[i], sums[i]));
    return all.values().iterator();
  }

  @Override
  public Long getLong(String key) {
    int index = Arrays.asList(KEYS).indexOf(key);
    return index < 0 ? null : sums()[index];
  }

  @Override
  public boolean isTracked(String key) {
    return Arrays.asList(KEYS).contains(key);
  }

  @Override
  public synchronized void reset() {
    long[] sums = sums();
    for (int i = 0; i < sums.length; i++) before[i] -= sums[i];
  }
}
