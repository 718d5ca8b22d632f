package peers;

import alluxio.AlluxioURI;
import alluxio.client.file.FileInStream;
import alluxio.client.file.FileOutStream;
import alluxio.client.file.FileSystem;
import alluxio.client.file.URIStatus;
import alluxio.conf.Configuration;
import alluxio.grpc.CreateDirectoryPOptions;
import alluxio.grpc.CreateFilePOptions;
import alluxio.grpc.DeletePOptions;
import alluxio.grpc.FreePOptions;
import alluxio.grpc.MountPOptions;
import alluxio.grpc.WritePType;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Alluxio's own Java client under the orders of run.ts: one line `verb key=value ...` in, one line of JSON out. The
 * verbs and the work behind each are those of ours.ts, so that both sides do the same.
 */
public final class Driver {
  private static final DeletePOptions DELETE =
      DeletePOptions.newBuilder().setRecursive(true).setAlluxioOnly(false).build();
  private static final ExecutorService POOL = Executors.newCachedThreadPool(r -> {
    Thread t = new Thread(r);
    t.setDaemon(true);
    return t;
  });
  private static FileSystem fs;

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    fs = FileSystem.Factory.create(Configuration.global());
    out.println("@{\"ok\":true}");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String reply;
      try {
        reply = "{\"ok\":true," + run(new Order(line)) + "}";
      } catch (Throwable e) {
        reply = "{\"ok\":false,\"error\":" + quote(e.toString()) + "}";
      }
      out.println("@" + reply);
    }
    System.exit(0);
  }

  static String run(Order o) throws Exception {
    switch (o.verb) {
      case "load": return load(o);
      case "write": return write(o);
      case "read": return read(o);
      case "layout":
        fs.createDirectory(uri(o.text("dir")), directory());
        for (int t = 0; t < o.number("threads"); t++) {
          for (String kind : new String[] {"c", "m", "r"}) {
            fs.createDirectory(uri(o.text("dir") + "/" + kind + t), directory());
          }
        }
        return "\"n\":1";
      case "mkdir": fs.createDirectory(uri(o.text("path")), directory()); return "\"n\":1";
      case "rm":
        if (fs.exists(uri(o.text("path")))) {
          fs.delete(uri(o.text("path")), DELETE);
        }
        return "\"n\":1";
      case "ls": return "\"n\":" + fs.listStatus(uri(o.text("path"))).size();
      case "mount": {
        MountPOptions.Builder b = MountPOptions.newBuilder();
        o.values.forEach((k, v) -> {
          if (k.startsWith("opt.")) {
            b.putProperties(k.substring(4), v);
          }
        });
        fs.mount(uri(o.text("path")), uri(o.text("uri")), b.build());
        return "\"n\":1";
      }
      case "unmount": fs.unmount(uri(o.text("path"))); return "\"n\":1";
      case "free": fs.free(uri(o.text("path")), FreePOptions.newBuilder().setRecursive(true).setForced(true).build()); return "\"n\":1";
      default: throw new IllegalArgumentException("verb " + o.verb);
    }
  }

  // ---- closed-loop load: `threads` callers, each `per` operations or `seconds` long

  interface Op { void run(int thread, int i) throws Exception; }

  static String load(Order o) throws Exception {
    int threads = o.number("threads");
    int per = o.number("per", 0);
    double seconds = Double.parseDouble(o.text("seconds", "0"));
    List<AutoCloseable> open = new ArrayList<>();
    Op op = operation(o, threads, open);
    long[][] latencies = new long[threads][];
    int[] counts = new int[threads];
    String[] failure = new String[1];
    int[] errors = new int[threads];
    long start = System.nanoTime();
    long end = start + (long) (seconds * 1e9);
    List<Future<?>> running = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      final int id = t;
      running.add(POOL.submit(() -> {
        long[] l = new long[per > 0 ? per : 1024];
        int n = 0;
        for (int i = 0; per > 0 ? i < per : System.nanoTime() < end; i++) {
          long a = System.nanoTime();
          try {
            op.run(id, i);
          } catch (Throwable e) {
            errors[id]++;
            failure[0] = e.toString();
          }
          if (n == l.length) {
            l = java.util.Arrays.copyOf(l, n * 2);
          }
          l[n++] = System.nanoTime() - a;
        }
        latencies[id] = l;
        counts[id] = n;
      }));
    }
    for (Future<?> f : running) {
      f.get();
    }
    double secs = (System.nanoTime() - start) / 1e9;
    for (AutoCloseable c : open) {
      c.close();
    }
    int total = 0;
    int failed = 0;
    for (int t = 0; t < threads; t++) {
      total += counts[t];
      failed += errors[t];
    }
    long[] all = new long[total];
    for (int t = 0, p = 0; t < threads; p += counts[t++]) {
      System.arraycopy(latencies[t], 0, all, p, counts[t]);
    }
    java.util.Arrays.sort(all);
    return "\"n\":" + total + ",\"secs\":" + secs + ",\"p50us\":" + all[total / 2] / 1e3 + ",\"p99us\":"
        + all[(int) (total * 0.99)] / 1e3 + ",\"errors\":" + failed
        + (failure[0] == null ? "" : ",\"error\":" + quote(failure[0]));
  }

  static Op operation(Order o, int threads, List<AutoCloseable> open) throws Exception {
    String d = o.text("dir", "");
    int files = o.number("files", Integer.MAX_VALUE);
    int size = o.number("size", 4096);
    byte[] content = new byte[size];
    new Random(3).nextBytes(content);
    switch (o.text("op")) {
      case "create": return (t, i) -> fs.createFile(uri(d + "/c" + t + "/f" + i), file(WritePType.MUST_CACHE)).close();
      case "mkdir": {
        CreateDirectoryPOptions plain = CreateDirectoryPOptions.newBuilder().setWriteType(WritePType.MUST_CACHE).build();
        return (t, i) -> fs.createDirectory(uri(d + "/m" + t + "/d" + i), plain);
      }
      case "getStatus": return (t, i) -> fs.getStatus(uri(d + "/c" + t + "/f" + i % files));
      case "rename": return (t, i) -> fs.rename(uri(d + "/c" + t + "/f" + i), uri(d + "/r" + t + "/g" + i));
      case "delete": {
        DeletePOptions plain = DeletePOptions.newBuilder().setRecursive(false).build();
        return (t, i) -> fs.delete(uri(d + "/r" + t + "/g" + i), plain);
      }
      case "list": {
        int expected = o.number("expect");
        return (t, i) -> {
          List<URIStatus> entries = fs.listStatus(uri(d));
          if (entries.size() != expected) {
            throw new Exception("entries " + entries.size());
          }
        };
      }
      case "writeSmall": return (t, i) -> {
        try (FileOutStream s = fs.createFile(uri(d + "/" + t + "/" + i), file(WritePType.MUST_CACHE))) {
          s.write(content);
        }
      };
      case "readSmall": return (t, i) -> drain(d + "/" + t + "/" + i, new byte[size], size);
      case "readAll": {
        int per = o.number("per");
        return (t, i) -> drain(String.format("%s/%06d", d, (t * per + i) % files), new byte[65536], size);
      }
      case "fill": {
        int from = o.number("from");
        int per = o.number("per");
        return (t, i) -> {
          int k = from + t * per + i;
          fs.createFile(uri(d + "/d" + k / 1000 + "/f" + k), file(WritePType.MUST_CACHE)).close();
        };
      }
      case "statFill": {
        Sequence[] random = Sequence.each(threads);
        return (t, i) -> {
          int k = random[t].below(files);
          fs.getStatus(uri(d + "/d" + k / 1000 + "/f" + k));
        };
      }
      case "pread": {
        int pages = (int) (o.big("bytes") / size);
        FileInStream[] in = new FileInStream[threads];
        byte[][] buffer = new byte[threads][size];
        Sequence[] random = Sequence.each(threads);
        for (int t = 0; t < threads; t++) {
          in[t] = fs.openFile(uri(o.text("path")));
          open.add(in[t]);
        }
        return (t, i) -> {
          long position = (long) random[t].below(pages) * size;
          int n = 0;
          while (n < size) {
            int got = in[t].positionedRead(position + n, buffer[t], n, size - n);
            if (got <= 0) {
              throw new Exception("short read " + n);
            }
            n += got;
          }
        };
      }
      default: throw new IllegalArgumentException("op " + o.text("op"));
    }
  }

  static void drain(String path, byte[] buffer, int expected) throws Exception {
    int n = 0;
    try (FileInStream in = fs.openFile(uri(path))) {
      for (int got; (got = in.read(buffer)) > 0;) {
        n += got;
      }
    }
    if (n != expected) {
      throw new Exception("short read " + n);
    }
  }

  // ---- bulk

  static String write(Order o) throws Exception {
    byte[] buffer = new byte[o.number("buf")];
    new Random(7).nextBytes(buffer);
    long bytes = o.big("bytes");
    long start = System.nanoTime();
    try (FileOutStream s = fs.createFile(uri(o.text("path")), file(WritePType.valueOf(o.text("type"))))) {
      for (long n = 0; n < bytes; n += buffer.length) {
        s.write(buffer, 0, (int) Math.min(buffer.length, bytes - n));
      }
    }
    return "\"n\":" + bytes + ",\"secs\":" + (System.nanoTime() - start) / 1e9;
  }

  static String read(Order o) throws Exception {
    int buf = o.number("buf");
    List<Future<Long>> running = new ArrayList<>();
    long start = System.nanoTime();
    for (int t = 0; t < o.number("threads"); t++) {
      running.add(POOL.submit(() -> {
        byte[] buffer = new byte[buf];
        long n = 0;
        try (FileInStream in = fs.openFile(uri(o.text("path")))) {
          for (int got; (got = in.read(buffer)) > 0;) {
            n += got;
          }
        }
        return n;
      }));
    }
    long total = 0;
    for (Future<Long> f : running) {
      total += f.get();
    }
    return "\"n\":" + total + ",\"secs\":" + (System.nanoTime() - start) / 1e9;
  }

  static AlluxioURI uri(String path) { return new AlluxioURI(path); }

  static CreateFilePOptions file(WritePType type) {
    return CreateFilePOptions.newBuilder().setRecursive(true).setWriteType(type).build();
  }

  static CreateDirectoryPOptions directory() {
    return CreateDirectoryPOptions.newBuilder().setRecursive(true).setAllowExists(true).setWriteType(WritePType.MUST_CACHE).build();
  }

  static String quote(String s) {
    return "\"" + s.replaceAll("[\\\\\"\\p{Cntrl}]", " ") + "\"";
  }

  /** The 32-bit linear congruential sequence of ours.ts: both sides read the same positions. */
  static final class Sequence {
    private int x;

    static Sequence[] each(int threads) {
      Sequence[] all = new Sequence[threads];
      for (int t = 0; t < threads; t++) {
        all[t] = new Sequence();
        all[t].x = t * 7919 + 1;
      }
      return all;
    }

    int below(int n) {
      x = x * 1664525 + 1013904223;
      return (int) ((x & 0xffffffffL) * n >>> 32);
    }
  }

  static final class Order {
    final String verb;
    final Map<String, String> values = new HashMap<>();

    Order(String line) {
      String[] words = line.trim().split(" ");
      verb = words[0];
      for (int i = 1; i < words.length; i++) {
        int equals = words[i].indexOf('=');
        values.put(words[i].substring(0, equals), words[i].substring(equals + 1));
      }
    }

    String text(String key) {
      String v = values.get(key);
      if (v == null) {
        throw new IllegalArgumentException(verb + " needs " + key);
      }
      return v;
    }

    String text(String key, String otherwise) { return values.getOrDefault(key, otherwise); }

    long big(String key) { return Long.parseLong(text(key)); }

    int number(String key) { return Integer.parseInt(text(key)); }

    int number(String key, int otherwise) { return values.containsKey(key) ? number(key) : otherwise; }
  }
}
