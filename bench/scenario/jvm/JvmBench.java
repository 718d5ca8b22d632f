import alluxio.client.AlluxioClient;
import alluxio.client.ClientOptions;
import alluxio.client.FileReader;
import alluxio.client.FileWriter;
import alluxio.client.Listing;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/** What the JVM client does a second; one JSON object a line. Started by jvm.bench.ts: {@code proxy file fileBytes seconds smallFiles only name=pid,...}. */
public final class JvmBench {
  private static final int MIB = 1 << 20;
  private static final Map<String, String> DAEMONS = new LinkedHashMap<>();

  public static void main(String[] args) throws Exception {
    String path = args[1];
    long bytes = Long.parseLong(args[2]);
    long seconds = Long.parseLong(args[3]);
    int files = Integer.parseInt(args[4]);
    for (String daemon : args[6].split(",")) {
      DAEMONS.put(daemon.substring(0, daemon.indexOf('=')), daemon.substring(daemon.indexOf('=') + 1));
    }
    try (AlluxioClient client = new AlluxioClient(ClientOptions.of(args[0], System.getProperty("user.name")))) {
      small(client, path + "-small", files, seconds);
      if (args[5].equals("small")) return;
      write(client, path, bytes);
      ClientOptions byWorker = ClientOptions.of(args[0], System.getProperty("user.name")).withShortCircuit(false);
      try (AlluxioClient remote = new AlluxioClient(byWorker)) {
        for (int round = 0; round < 3; round++) {
          sequential(client, path, "short circuit, round " + round);
          sequential(remote, path, "by a worker, round " + round);
        }
        positioned(client, path, 16, 4096, seconds, "short circuit");
        positioned(remote, path, 16, 4096, seconds, "by a worker");
      }
      metadata(client, args[0], path, seconds);
      System.out.println("{\"name\":\"tally\",\"tally\":" + client.tally() + "}");
    }
  }

  private static void write(AlluxioClient client, String path, long bytes) throws Exception {
    byte[] chunk = new byte[MIB];
    new Random(1).nextBytes(chunk);
    Clock clock = new Clock();
    try (FileWriter writer = client.create(path, true, true, 0, -1)) {
      for (long done = 0; done < bytes; done += chunk.length) writer.write(chunk);
    }
    clock.report("write", bytes / 1e9, "GB/s");
  }

  private static void sequential(AlluxioClient client, String path, String how) throws Exception {
    byte[] buffer = new byte[MIB];
    Clock clock = new Clock();
    try (FileReader reader = client.open(path)) {
      long at = 0;
      for (int n = reader.read(at, buffer, 0, MIB); n > 0; n = reader.read(at, buffer, 0, MIB)) at += n;
      clock.report("sequential read, 1 MiB buffers, " + how, at / 1e9, "GB/s");
    }
  }

  private static void positioned(
      AlluxioClient client, String path, int threads, int size, long seconds, String how) throws Exception {
    try (FileReader reader = client.open(path)) {
      AtomicLong reads = new AtomicLong();
      CountDownLatch done = new CountDownLatch(threads);
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      Clock clock = new Clock();
      for (int t = 0; t < threads; t++) {
        Random random = new Random(t);
        new Thread(
                () -> {
                  byte[] buffer = new byte[size];
                  long count = 0;
                  try {
                    while (System.nanoTime() < end) {
                      long at = (long) (random.nextDouble() * (reader.length() - size));
                      if (reader.read(at, buffer, 0, size) != size) throw new IllegalStateException("short read");
                      count++;
                    }
                  } catch (Exception e) {
                    e.printStackTrace();
                  }
                  reads.addAndGet(count);
                  done.countDown();
                })
            .start();
      }
      done.await();
      clock.report(size + " B positioned reads, " + threads + " threads, " + how, reads.get(), "reads/s");
    }
  }

  /** The same call by our connections and by the two clients of the JDK, in turns. */
  private static void metadata(AlluxioClient client, String proxy, String path, long seconds) throws Exception {
    URI uri =
        URI.create("http://" + proxy + "/webhdfs/v1" + path + "?op=GETFILESTATUS&user.name=" + System.getProperty("user.name"));
    HttpClient modern = HttpClient.newHttpClient();
    HttpRequest request = HttpRequest.newBuilder(uri).build();
    Map<String, Call> calls = new LinkedHashMap<>();
    calls.put("getStatus", () -> client.getStatus(path));
    calls.put("GETFILESTATUS by HttpURLConnection", () -> old(uri.toURL()));
    calls.put("GETFILESTATUS by java.net.http", () -> modern.send(request, HttpResponse.BodyHandlers.ofByteArray()));
    for (int round = 0; round < 3; round++) {
      for (Map.Entry<String, Call> call : calls.entrySet()) {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        Clock clock = new Clock();
        long count = 0;
        for (; System.nanoTime() < end; count++) call.getValue().run();
        clock.report(call.getKey() + ", one thread, round " + round, count, "calls/s");
      }
    }
  }

  private interface Call {
    void run() throws Exception;
  }

  private static void old(URL url) throws Exception {
    HttpURLConnection connection = (HttpURLConnection) url.openConnection();
    try (InputStream in = connection.getInputStream()) {
      in.readAllBytes();
    }
  }

  /** Files of 4 KiB: written, listed with places, and each opened, read and closed, in turns. */
  private static void small(AlluxioClient client, String folder, int files, long seconds) throws Exception {
    byte[] bytes = new byte[4096];
    new Random(2).nextBytes(bytes);
    List<String> paths = new ArrayList<>();
    for (int i = 0; i < files; i++) {
      String path = folder + "/" + i;
      try (FileWriter writer = client.create(path, true, true, 0, -1)) {
        writer.write(bytes);
      }
      paths.add(path);
    }
    for (int round = 0; round < 3; round++) {
      Clock clock = new Clock();
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      long listed = 0;
      while (System.nanoTime() < end) listed += list(client, folder);
      clock.report("listing with places, round " + round, listed, "files/s");
      for (int threads = 1; threads <= 2; threads++) opens(client, paths, threads, seconds, round);
    }
  }

  private static int list(AlluxioClient client, String folder) throws Exception {
    int files = 0;
    String after = null;
    for (boolean more = true; more; ) {
      Listing page = client.listLocated(folder, after);
      files += page.entries().size();
      after = page.entries().get(page.entries().size() - 1).name();
      more = page.hasMore();
    }
    return files;
  }

  private static void opens(AlluxioClient client, List<String> paths, int threads, long seconds, int round)
      throws Exception {
    Clock clock = new Clock();
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    AtomicLong count = new AtomicLong();
    Thread[] running = new Thread[threads];
    for (int t = 0; t < threads; t++) {
      running[t] =
          new Thread(
              () -> {
                byte[] buffer = new byte[64 * 1024];
                try {
                  while (System.nanoTime() < end) {
                    String path = paths.get((int) (count.getAndIncrement() % paths.size()));
                    try (FileReader reader = client.open(path)) {
                      if (reader.read(0, buffer, 0, buffer.length) != 4096) throw new IllegalStateException("short read");
                    }
                  }
                } catch (Exception e) {
                  e.printStackTrace();
                }
              });
      running[t].start();
    }
    for (Thread thread : running) thread.join();
    clock.report("open, read 4 KiB, close, " + threads + " threads, round " + round, count.get(), "files/s");
  }

  private static final class Clock {
    private final long startNs = System.nanoTime();
    private final Map<String, Double> cpu;

    Clock() throws Exception {
      cpu = cpuSeconds();
    }

    void report(String name, double amount, String unit) throws Exception {
      double seconds = (System.nanoTime() - startNs) / 1e9;
      StringBuilder each = new StringBuilder();
      for (Map.Entry<String, Double> used : cpuSeconds().entrySet()) {
        double us = (used.getValue() - cpu.get(used.getKey())) * 1e6 / amount;
        each.append(String.format("%s\"%s\":%.2f", each.length() == 0 ? "" : ",", used.getKey(), us));
      }
      System.out.printf(
          "{\"name\":\"%s\",\"rate\":%.3f,\"unit\":\"%s\",\"seconds\":%.3f,\"cpuPerUnitUs\":{%s}}%n",
          name, amount / seconds, unit, seconds, each);
    }

    private static Map<String, Double> cpuSeconds() throws Exception {
      Map<String, Double> used = new LinkedHashMap<>();
      used.put("jvm", cpu() / 1e9);
      for (Map.Entry<String, String> daemon : DAEMONS.entrySet()) {
        String stat = Files.readString(Path.of("/proc/" + daemon.getValue() + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        // Ticks of 10 ms in user and in system mode.
        used.put(daemon.getKey(), (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0);
      }
      return used;
    }

    private static long cpu() {
      return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
          .getProcessCpuTime();
    }
  }
}
