package alluxio.client;

import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * Where tasks should read blocks: as the hint service says, and from the block map when that does not answer in time. Of what is cached
 * nowhere it names the place where it should go.
 */
public final class BlockLocations implements Closeable {
  /** Of one request: what its answer may be as a message between daemons. */
  private static final int MAX_RANGES = 3_000;
  private static final long FIRST_PAUSE_NS = 1_000_000_000L;
  private static final long LONGEST_PAUSE_NS = 60_000_000_000L;

  private final AlluxioClient client;
  private final String address;
  private final String target;
  private final HttpPool pool;
  private final TaskHosts taskHosts;
  private final Consumer<String> warn;
  private final LongAdder answered = new LongAdder();
  private final LongAdder unanswered = new LongAdder();
  private volatile long silentUntilNs = System.nanoTime();
  private long pauseNs = FIRST_PAUSE_NS;
  /** Once an outage, and once for all refusals. */
  private boolean toldSilence;
  private boolean toldRefusal;

  BlockLocations(AlluxioClient client, ClientOptions options, Gateway gateway, Consumer<String> warn) {
    this.client = client;
    this.warn = warn;
    this.taskHosts = TaskHosts.ofThisProgram();
    this.address = options.hints;
    boolean isProxy = options.proxy.equals(options.hints);
    this.target = isProxy ? Gateway.target("/", "op=HINTS&" + gateway.caller()) : "/api/v1/hints/locate?" + gateway.user();
    this.pool = new HttpPool(options.hintTimeoutMs, options.hintTimeoutMs);
  }

  /** Entries of a directory with the places of blocks, in name order after {@code startAfter} (null: from the first). */
  public Listing list(String path, String startAfter) throws IOException {
    if (isSilent()) return client.listLocated(path, startAfter);
    Listing page = client.list(path, startAfter);
    List<List<BlockPlace>> places = placesOf(page.entries());
    return places == null ? client.listLocated(path, startAfter) : new Listing(page.entries(), places, page.hasMore());
  }

  /** Places of the blocks that a range touches. @param file as a listing or {@code getStatus} told it */
  public List<BlockPlace> of(String path, long fileLength, long blockSize, long offset, long length)
      throws IOException {
    if (!isSilent()) {
      Ranges ranges = new Ranges();
      ranges.add(path, fileLength, blockSize, offset, length);
      List<BlockPlace> places = ask(ranges);
      if (places != null) return places;
    }
    return client.blockPlaces(path, offset, length);
  }

  /** Listings and files whose places the service told. */
  public long answered() {
    return answered.sum();
  }

  /** Those for which it did not answer in time, or refused. */
  public long unanswered() {
    return unanswered.sum();
  }

  @Override
  public void close() {
    pool.close();
  }

  private boolean isSilent() {
    return address == null || System.nanoTime() - silentUntilNs < 0;
  }

  /** Of each entry; null when the service did not answer. */
  private List<List<BlockPlace>> placesOf(List<FileStatus> entries) {
    List<List<BlockPlace>> places = new ArrayList<>(entries.size());
    Ranges ranges = new Ranges();
    // How many blocks each entry of the ranges has.
    List<Integer> counts = new ArrayList<>();
    List<BlockPlace> found = new ArrayList<>();
    for (FileStatus entry : entries) {
      int before = ranges.size();
      if (!entry.isDirectory()) ranges.add(entry.path(), entry.length(), entry.blockSize(), 0, entry.length());
      counts.add(ranges.size() - before);
      if (ranges.size() < MAX_RANGES) continue;
      List<BlockPlace> some = ask(ranges);
      if (some == null) return null;
      found.addAll(some);
      ranges = new Ranges();
    }
    List<BlockPlace> rest = ask(ranges);
    if (rest == null) return null;
    found.addAll(rest);
    int at = 0;
    for (int count : counts) {
      places.add(count == 0 ? Collections.emptyList() : found.subList(at, at + count));
      at += count;
    }
    return places;
  }

  private List<BlockPlace> ask(Ranges ranges) {
    List<BlockPlace> places = new ArrayList<>(ranges.size());
    try {
      for (int from = 0; from < ranges.size(); from += MAX_RANGES) {
        int to = Math.min(from + MAX_RANGES, ranges.size());
        List<Object> answers = answer(ranges.question(from, to, taskHosts.question()));
        if (answers.size() != to - from) throw new IOException("it answers to other questions");
        for (int i = from; i < to; i++) {
          Map<String, Object> answer = Json.object(answers.get(i - from));
          places.add(new BlockPlace(ranges.offsets.get(i), ranges.lengths.get(i), Json.list(answer.get("locations"))));
        }
      }
      if (ranges.size() > 0) heard();
      return places;
    } catch (RemoteFailure e) {
      // It is there. One path that its user may not read, or that has gone, spoils the whole answer.
      if (e.status() >= 500) silence(e);
      else refused(e);
    } catch (IOException e) {
      silence(e);
    }
    return null;
  }

  private List<Object> answer(String question) throws IOException {
    byte[] body = question.getBytes(StandardCharsets.UTF_8);
    HttpConnection connection = pool.request(address, "POST", target, "Content-Type: application/json\r\n", body, true);
    boolean done = false;
    try {
      String text = connection.text();
      done = true;
      if (connection.status() != 200) throw refusal(connection.status(), text);
      return Json.list(Json.parse(text));
    } finally {
      if (done) pool.give(connection);
      else connection.close();
    }
  }

  private static RemoteFailure refusal(int status, String text) {
    String why = text.length() > 300 ? text.substring(0, 300) : text;
    return new RemoteFailure(status, "IOException", "HTTP status " + status + ": " + why.trim());
  }

  private synchronized void heard() {
    answered.increment();
    pauseNs = FIRST_PAUSE_NS;
    toldSilence = false;
  }

  private synchronized void refused(IOException why) {
    unanswered.increment();
    if (!toldRefusal) tell("refuses an answer", why);
    toldRefusal = true;
  }

  private synchronized void silence(IOException why) {
    unanswered.increment();
    silentUntilNs = System.nanoTime() + pauseNs;
    pauseNs = Math.min(LONGEST_PAUSE_NS, 2 * pauseNs);
    if (!toldSilence) tell("does not answer and is asked again later", why);
    toldSilence = true;
  }

  private void tell(String what, IOException why) {
    warn.accept(
        "The hint service of Alluxio at " + address + " " + what + " (" + why.getMessage()
            + "): tasks are placed by the block map, maybe farther from their bytes. Nothing fails for it.");
  }

  /** Parts of files, a block each. */
  private static final class Ranges {
    final List<String> paths = new ArrayList<>();
    final List<Long> offsets = new ArrayList<>();
    final List<Long> lengths = new ArrayList<>();

    int size() {
      return paths.size();
    }

    /** The whole of each block that the range touches. */
    void add(String path, long fileLength, long blockSize, long offset, long length) {
      long end = length > fileLength - offset ? fileLength : offset + length;
      long block = blockSize > 0 ? blockSize : Math.max(1, fileLength);
      for (long at = offset - offset % block; at < end; at += block) {
        paths.add(path);
        offsets.add(at);
        lengths.add(Math.min(block, fileLength - at));
      }
    }

    String question(int from, int to, String how) {
      StringBuilder json = new StringBuilder((to - from) * 100).append("{\"paths\":[],\"blocks\":false,\"top\":3,").append(how);
      String separator = ",\"ranges\":[";
      for (int i = from; i < to; i++) {
        Json.quote(paths.get(i), json.append(separator).append("{\"path\":"));
        json.append(",\"offset\":").append(offsets.get(i)).append(",\"length\":").append(lengths.get(i)).append('}');
        separator = ",";
      }
      return json.append("]}").toString();
    }
  }
}
