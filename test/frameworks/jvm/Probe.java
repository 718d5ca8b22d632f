import alluxio.client.AlluxioClient;
import alluxio.client.ClientOptions;
import alluxio.client.FileReader;
import alluxio.client.FileWriter;
import alluxio.client.RemoteFailure;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.Map;

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
