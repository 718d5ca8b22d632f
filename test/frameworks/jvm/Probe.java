import alluxio.client.AlluxioClient;
import alluxio.client.ClientOptions;
import alluxio.client.FileReader;
import alluxio.client.FileStatus;
import alluxio.client.FileWriter;
import alluxio.client.Listing;
import alluxio.client.RemoteFailure;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** A JVM that does what the lines of its standard input say, fields divided by tabs, and answers each with one line. */
public final class Probe {
  private final AlluxioClient client;
  private final Map<String, FileReader> readers = new HashMap<>();

  private Probe(AlluxioClient client) {
    this.client = client;
  }

  public static void main(String[] args) throws Exception {
    ClientOptions options =
        ClientOptions.of(args[0], args[1])
            .withShortCircuit(!args[2].contains("remote"))
            .withVerifyAlways(args[2].contains("verify"))
            .withTimeouts(2_000, 20_000, 30_000);
    Probe probe = new Probe(new AlluxioClient(options));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = "ok\t" + probe.run(line.split("\t"));
      } catch (RemoteFailure e) {
        answer = "failed\t" + e.exception() + ": " + e.getMessage();
      } catch (Exception e) {
        answer = "failed\t" + e.toString().replace('\n', ' ');
      }
      System.out.println(answer);
      System.out.flush();
    }
  }

  private String run(String[] words) throws Exception {
    switch (words[0]) {
      case "open":
        FileReader reader = client.open(words[2]);
        readers.put(words[1], reader);
        return Long.toString(reader.length());
      case "read":
        return read(readers.get(words[1]), Long.parseLong(words[2]), Long.parseLong(words[3]), Integer.parseInt(words[4]));
      case "storm":
        return storm(words[1], Integer.parseInt(words[2]), Long.parseLong(words[3]));
      case "unbuffer":
        readers.get(words[1]).unbuffer();
        return "";
      case "close":
        readers.remove(words[1]).close();
        return "";
      case "write":
        return write(words[1], Long.parseLong(words[2]), words[3]);
      case "append":
        try (FileWriter writer = client.append(words[1])) {
          writer.write(words[2].getBytes(StandardCharsets.UTF_8));
        }
        return "";
      case "rename":
        return Boolean.toString(client.rename(words[1], words[2]));
      case "delete":
        return Boolean.toString(client.delete(words[1], true));
      case "hosts":
        return client.blockPlaces(words[1], 0, Long.MAX_VALUE).get(0).hosts().toString();
      case "each":
        return each(words[1]);
      case "list":
        return Integer.toString(client.listLocated(words[1], null).entries().size());
      case "tally":
        return client.tally().toString();
      case "maps":
        return Long.toString(
            java.nio.file.Files.lines(java.nio.file.Paths.get("/proc/self/maps")).filter(l -> l.contains(words[1])).count());
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  /** Lists a folder with places, opens each file and reads it. */
  private String each(String folder) throws Exception {
    int files = 0;
    int places = 0;
    long bytes = 0;
    byte[] buffer = new byte[64 * 1024];
    String after = null;
    for (boolean more = true; more; ) {
      Listing page = client.listLocated(folder, after);
      for (int i = 0; i < page.entries().size(); i++) {
        FileStatus status = page.entries().get(i);
        if (!page.places().get(i).get(0).hosts().isEmpty()) places++;
        try (FileReader reader = client.open(status.path())) {
          long at = 0;
          for (int n = reader.read(at, buffer, 0, buffer.length); n > 0; n = reader.read(at, buffer, 0, buffer.length)) at += n;
          bytes += at;
        }
        files++;
        after = status.name();
      }
      more = page.hasMore();
    }
    return files + " files, " + places + " places, " + bytes + " bytes";
  }

  /** SHA-256 of a range, read in order by buffers of a size. */
  private static String read(FileReader reader, long from, long to, int size) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    byte[] buffer = new byte[size];
    for (long at = from; at < to; ) {
      int n = reader.read(at, buffer, 0, (int) Math.min(size, to - at));
      if (n < 0) break;
      digest.update(buffer, 0, n);
      at += n;
    }
    return hex(digest);
  }

  /** Threads that read at random while others close and unbuffer under them; how many reads were right. */
  private String storm(String path, int threads, long seconds) throws Exception {
    byte[] whole;
    try (FileReader reader = client.open(path)) {
      whole = new byte[(int) reader.length()];
      reader.read(0, whole, 0, whole.length);
    }
    FileReader shared = client.open(path);
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    AtomicLong right = new AtomicLong();
    AtomicReference<Throwable> wrong = new AtomicReference<>();
    Thread[] running = new Thread[threads];
    for (int t = 0; t < threads; t++) {
      Random random = new Random(t);
      running[t] =
          new Thread(
              () -> {
                ByteBuffer target = random.nextBoolean() ? ByteBuffer.allocate(70_000) : ByteBuffer.allocateDirect(70_000);
                try {
                  while (System.nanoTime() < end && wrong.get() == null) {
                    FileReader reader = random.nextInt(4) == 0 ? client.open(path) : shared;
                    for (int i = 0; i < 20; i++) {
                      int at = random.nextInt(whole.length);
                      target.clear().limit(1 + random.nextInt(target.capacity()));
                      int n = reader.read(at, target);
                      if (!target.flip().equals(ByteBuffer.wrap(whole, at, n))) throw new IllegalStateException("wrong bytes");
                      right.incrementAndGet();
                      if (random.nextInt(10) == 0) reader.unbuffer();
                    }
                    if (reader != shared) reader.close();
                  }
                } catch (Throwable e) {
                  wrong.compareAndSet(null, e);
                }
              });
      running[t].start();
    }
    for (Thread thread : running) thread.join();
    shared.close();
    if (wrong.get() != null) throw new IllegalStateException(wrong.get());
    return Long.toString(right.get());
  }

  /** Writes bytes that a linear generator makes; aborted where {@code how} says so. */
  private String write(String path, long length, String how) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    byte[] buffer = new byte[100_003];
    int state = path.hashCode();
    FileWriter writer = client.create(path, how.contains("overwrite"), true, 0, -1);
    for (long done = 0; done < length; ) {
      int n = (int) Math.min(buffer.length, length - done);
      for (int i = 0; i < n; i++) buffer[i] = (byte) ((state = state * 1664525 + 1013904223) >>> 24);
      writer.write(buffer, 0, n);
      digest.update(buffer, 0, n);
      done += n;
    }
    if (how.contains("abort")) writer.abort();
    else writer.close();
    return hex(digest);
  }

  private static String hex(MessageDigest digest) {
    StringBuilder text = new StringBuilder();
    for (byte b : digest.digest()) text.append(String.format("%02x", b));
    return text.toString();
  }
}
