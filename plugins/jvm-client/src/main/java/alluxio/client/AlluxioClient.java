package alluxio.client;

import java.io.Closeable;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InterfaceAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The file system of one cluster for one user. Paths are absolute, without scheme; calls may come from many threads. Every call
 * throws {@link FileNotFoundException} where a path does not exist and {@link RemoteFailure} for what else the cluster refuses.
 */
public final class AlluxioClient implements Closeable {
  /** Names of this host that are told to the gateway. */
  private static final int MAX_HOST_NAMES = 16;
  /** Longest range that the gateway can tell from another. */
  private static final long MAX_LENGTH = (1L << 53) - 1;
  /** Workers that are asked to take a new file. */
  private static final int WRITE_ATTEMPTS = 4;

  final ClientOptions options;
  final HttpPool pool;
  final TierFiles tierFiles = new TierFiles();
  final ReadTally tally = new ReadTally();
  private final Gateway gateway;
  private final BlockLocations locations;
  private final String hostNames;

  public AlluxioClient(ClientOptions options) {
    this(options, text -> System.getLogger("alluxio.client").log(System.Logger.Level.WARNING, text));
  }

  /** @param warn takes what whoever runs the program should know though nothing fails */
  public AlluxioClient(ClientOptions options, Consumer<String> warn) {
    this.options = options;
    this.pool = new HttpPool(options.connectTimeoutMs, options.readTimeoutMs);
    this.gateway = new Gateway(options, pool);
    this.locations = new BlockLocations(this, options, gateway, warn);
    this.hostNames = options.shortCircuit ? namesOfThisHost() : null;
  }

  public FileStatus getStatus(String path) throws IOException {
    Map<String, Object> answer = get(path, Query.op("GETFILESTATUS"));
    return FileStatus.of(path, Json.object(answer.get("FileStatus")));
  }

  /** Entries of a directory in name order after {@code startAfter} (null: from the first); of a file, the file itself. */
  public Listing list(String path, String startAfter) throws IOException {
    Query query = Query.op("LISTSTATUS_BATCH").with("startAfter", startAfter);
    Map<String, Object> page = Json.object(get(path, query).get("DirectoryListing"));
    Map<String, Object> partial = Json.object(page.get("partialListing"));
    List<FileStatus> entries = new ArrayList<>();
    for (Object entry : Json.list(Json.object(partial.get("FileStatuses")).get("FileStatus"))) {
      entries.add(FileStatus.listed(path, Json.object(entry)));
    }
    return new Listing(entries, null, Json.number(page, "remainingEntries", 0) > 0);
  }

  /** As {@code list}, with the places of the blocks of files. */
  public Listing listLocated(String path, String startAfter) throws IOException {
    Query query = Query.op("LISTLOCATED").with("startAfter", startAfter);
    Map<String, Object> page = Json.object(get(path, query).get("LocatedListing"));
    List<FileStatus> entries = new ArrayList<>();
    List<List<BlockPlace>> places = new ArrayList<>();
    for (Object item : Json.list(page.get("entries"))) {
      Map<String, Object> fields = Json.object(item);
      entries.add(FileStatus.listed(path, Json.object(fields.get("FileStatus"))));
      places.add(fields.containsKey("blocks") ? BlockPlace.listOf(fields.get("blocks")) : Collections.emptyList());
    }
    return new Listing(entries, places, Json.truth(page, "more"));
  }

  /** Where the blocks of a range are; at most 3 hosts a block, best first, none where nobody caches it. */
  public List<BlockPlace> blockPlaces(String path, long offset, long length) throws IOException {
    long told = Math.min(length, MAX_LENGTH);
    Query query = Query.op("GETFILEBLOCKLOCATIONS").with("offset", offset).with("length", told);
    Map<String, Object> locations = Json.object(get(path, query).get("BlockLocations"));
    return BlockPlace.listOf(locations.get("BlockLocation"));
  }

  /** One round trip: metadata, blocks and, for those on this host, where their tier files are. */
  public FileReader open(String path) throws IOException {
    return new FileReader(this, path, openFile(path, 0, false));
  }

  /**
   * A new file, which nobody can read before it is closed.
   *
   * @param blockSize bytes; 0: the cluster's default
   * @param mode permission bits; -1: the cluster's default
   */
  public FileWriter create(String path, boolean overwrite, boolean createParents, long blockSize, int mode)
      throws IOException {
    return write(
        "PUT",
        path,
        () ->
            Query.op("CREATE")
                .with("overwrite", overwrite)
                .with("createparent", createParents)
                .with("blocksize", blockSize > 0 ? blockSize : null)
                .with("permission", mode < 0 ? null : Integer.toOctalString(mode)));
  }

  public FileWriter append(String path) throws IOException {
    return write("POST", path, () -> Query.op("APPEND"));
  }

  /** With missing parents. @param mode permission bits; -1: the cluster's default */
  public void mkdirs(String path, int mode) throws IOException {
    put(path, Query.op("MKDIRS").with("permission", mode < 0 ? null : Integer.toOctalString(mode)));
  }

  /** False when there was nothing. */
  public boolean delete(String path, boolean recursive) throws IOException {
    Map<String, Object> answer =
        gateway.call("DELETE", path, Query.op("DELETE").with("recursive", recursive), true);
    return Json.truth(answer, "boolean");
  }

  /** Hadoop's rename: into {@code dst} if that is a directory; false where it may not be. */
  public boolean rename(String src, String dst) throws IOException {
    return rename(src, dst, (String) null);
  }

  /** To exactly {@code dst}. @param overwrite whether a file or an empty directory there is replaced */
  public void rename(String src, String dst, boolean overwrite) throws IOException {
    rename(src, dst, overwrite ? "OVERWRITE" : "NONE");
  }

  /** An answer that is lost with a proxy or master must not fail a job: what became of the rename is looked at then. */
  private boolean rename(String src, String dst, String choice) throws IOException {
    long deadline = System.nanoTime() + options.retryMs * 1_000_000;
    for (int attempt = 1; ; attempt++) {
      Query query = Query.op("RENAME").with("destination", dst).with("renameoptions", choice);
      IOException lost;
      try {
        Map<String, Object> answer = gateway.call("PUT", src, query, false);
        boolean done = choice != null || Json.truth(answer, "boolean");
        return done || (attempt > 1 && wasRenamed(src, dst));
      } catch (FileNotFoundException e) {
        if (attempt > 1 && wasRenamed(src, dst)) return true;
        throw e;
      } catch (ConnectException e) {
        throw e;
      } catch (RemoteFailure e) {
        if (!Gateway.isPassing(e)) throw e;
        lost = e;
      } catch (IOException e) {
        lost = e;
      }
      if (wasRenamed(src, dst)) return true;
      if (System.nanoTime() > deadline) throw lost;
      Gateway.pause(Math.min(2_000, 100L << Math.min(attempt, 5)));
    }
  }

  private boolean wasRenamed(String src, String dst) throws IOException {
    return !exists(src) && exists(dst);
  }

  public boolean exists(String path) throws IOException {
    try {
      getStatus(path);
      return true;
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  public boolean truncate(String path, long length) throws IOException {
    return Json.truth(gateway.call("POST", path, Query.op("TRUNCATE").with("newlength", length), true), "boolean");
  }

  /** Appends the sources, which are gone then. */
  public void concat(String target, List<String> sources) throws IOException {
    gateway.call("POST", target, Query.op("CONCAT").with("sources", String.join(",", sources)), false);
  }

  /** A call of WebHDFS that has no method of its own here. @return null when the answer has no body */
  public Map<String, Object> get(String path, Query query) throws IOException {
    return gateway.call("GET", path, query, true);
  }

  /** As {@code get}, for a change that may be made twice. */
  public Map<String, Object> put(String path, Query query) throws IOException {
    return gateway.call("PUT", path, query, true);
  }

  /** Where schedulers should place tasks; {@code blockPlaces} and {@code listLocated} tell what is cached where. */
  public BlockLocations locations() {
    return locations;
  }

  /** Caches a file, or all files below a directory. @return whether all is there; if not, ask again: it goes on meanwhile */
  public boolean load(String path) throws IOException {
    return Json.truth(put(path, Query.op("LOAD")), "boolean");
  }

  /** Keeps a path and all below it from being evicted. @return false when it was pinned before */
  public boolean pin(String path) throws IOException {
    return Json.truth(gateway.call("PUT", path, Query.op("PIN"), false), "boolean");
  }

  public void unpin(String path) throws IOException {
    put(path, Query.op("UNPIN"));
  }

  /** Where the bytes read so far came from. */
  public ReadTally tally() {
    return tally;
  }

  /** Ends idle connections; readers and writers that are open go on. */
  @Override
  public void close() {
    locations.close();
    pool.close();
  }

  OpenFile openFile(String path, long offset, boolean certain) throws IOException {
    return OpenFile.ask(gateway, path, offset, certain, hostNames);
  }

  /** The answer of a worker to a request for bytes, its head read and good. */
  HttpConnection readRange(String address, String path, long fileId, String access, long from, long to)
      throws IOException {
    Query query =
        Query.op("OPEN").with("offset", from).with("length", to - from).with("fileid", fileId).raw(access);
    tally.requests.increment();
    HttpConnection connection = pool.request(address, "GET", Gateway.target(path, query.toString()), "", true);
    int status = connection.status();
    if ((status == 200 || status == 206) && (connection.left() < 0 || connection.left() == to - from)) return connection;
    try {
      if (status >= 300) Gateway.read(connection);
      throw new IOException(address + " answers with another range of " + path);
    } finally {
      connection.close();
    }
  }

  private interface Described {
    Query query();
  }

  /** The head of an upload goes out, and the worker has agreed to take it, before this returns. */
  private FileWriter write(String method, String path, Described described) throws IOException {
    StringBuilder excluded = new StringBuilder();
    for (int attempt = 1; ; attempt++) {
      Query query = described.query().with("excludedatanodes", excluded.length() == 0 ? null : excluded.toString());
      String[] location = gateway.dataLocation(method, path, query);
      HttpConnection connection;
      try {
        // Never a connection that the server may be closing: a body cannot be sent twice.
        connection = pool.fresh(location[0]);
      } catch (ConnectException e) {
        if (attempt == WRITE_ATTEMPTS) throw e;
        excluded.append(excluded.length() == 0 ? "" : ",").append(location[0]);
        continue;
      }
      boolean open = false;
      try {
        connection.send(
            method,
            location[1],
            "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
        if (connection.receive(true) != 100) {
          Gateway.read(connection);
          throw new IOException(location[0] + " does not take the bytes of " + path);
        }
        open = true;
        return new FileWriter(this, connection);
      } finally {
        if (!open) connection.close();
      }
    }
  }

  private static String namesOfThisHost() {
    Set<String> names = new LinkedHashSet<>();
    try {
      names.add(InetAddress.getLocalHost().getHostName());
    } catch (UnknownHostException e) {
      // The addresses do.
    }
    names.add("localhost");
    names.add("127.0.0.1");
    try {
      for (NetworkInterface each : Collections.list(NetworkInterface.getNetworkInterfaces())) {
        for (InterfaceAddress address : each.getInterfaceAddresses()) {
          String name = address.getAddress().getHostAddress();
          int zone = name.indexOf('%');
          names.add(zone < 0 ? name : name.substring(0, zone));
        }
      }
    } catch (SocketException e) {
      // The names do.
    }
    List<String> told = new ArrayList<>(names);
    return String.join(",", told.subList(0, Math.min(MAX_HOST_NAMES, told.size())));
  }
}
