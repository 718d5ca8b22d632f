package alluxio.client;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** Calls of the WebHDFS gateway. */
final class Gateway {
  private static final String PREFIX = "/webhdfs/v1";
  private static final long FIRST_PAUSE_MS = 50;
  private static final long LONGEST_PAUSE_MS = 2_000;

  final HttpPool pool;
  private final ClientOptions options;
  private final String caller;

  Gateway(ClientOptions options, HttpPool pool) {
    this.options = options;
    this.pool = pool;
    this.caller = callerOf(options);
  }

  private static String callerOf(ClientOptions options) {
    StringBuilder query = new StringBuilder();
    if (options.token != null) {
      query.append("delegation=");
      Query.encode(options.token, query);
      return query.toString();
    }
    query.append("user.name=");
    Query.encode(options.user, query);
    if (options.onBehalfOf != null) {
      query.append("&doas=");
      Query.encode(options.onBehalfOf, query);
    }
    return query.toString();
  }

  String address() {
    return options.proxy;
  }

  /** The parameters that say who calls, encoded. */
  String caller() {
    return caller;
  }

  /** The same for daemons that know neither tokens nor users who act for others. */
  String user() {
    StringBuilder query = new StringBuilder("user.name=");
    Query.encode(options.onBehalfOf == null ? options.user : options.onBehalfOf, query);
    return query.toString();
  }

  /** Path and query of a call, for the gateway or a worker. */
  static String target(String path, String query) {
    StringBuilder target = new StringBuilder(PREFIX.length() + path.length() + query.length() + 16).append(PREFIX);
    Query.encode(path, target);
    return target.append('?').append(query).toString();
  }

  /**
   * One call and its JSON; null when the answer has no body. A gateway that is not there is waited for; one that may have done the
   * work already is asked again only if {@code repeatable}.
   *
   * @throws FileNotFoundException as the gateway tells
   * @throws RemoteFailure for what else it refuses
   */
  Map<String, Object> call(String method, String path, Query query, boolean repeatable) throws IOException {
    String target = target(path, query.raw(caller).toString());
    long deadline = System.nanoTime() + options.retryMs * 1_000_000;
    for (long pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      IOException failure;
      try {
        return once(method, target, repeatable);
      } catch (ConnectException e) {
        failure = e;
      } catch (RemoteFailure e) {
        if (!repeatable || !isPassing(e)) throw e;
        failure = e;
      } catch (FileNotFoundException e) {
        throw e;
      } catch (IOException e) {
        if (!repeatable) throw e;
        failure = e;
      }
      if (System.nanoTime() + pauseMs * 1_000_000 > deadline) throw failure;
      pause(pauseMs);
    }
  }

  /** The address at which data are written: host:port and target, from the URL that the gateway names. */
  String[] dataLocation(String method, String path, Query query) throws IOException {
    Map<String, Object> answer = call(method, path, query.with("noredirect", "true"), true);
    return split(answer == null ? null : Json.string(answer, "Location", null));
  }

  static String[] split(String url) throws IOException {
    if (url == null || !url.startsWith("http://")) throw new IOException("the gateway names no worker: " + url);
    int slash = url.indexOf('/', 7);
    if (slash < 0) throw new IOException("the gateway names no worker: " + url);
    return new String[] {url.substring(7, slash), url.substring(slash)};
  }

  private Map<String, Object> once(String method, String target, boolean repeatable) throws IOException {
    String headers = method.equals("GET") ? "" : "Content-Length: 0\r\n";
    HttpConnection connection = pool.request(options.proxy, method, target, headers, repeatable);
    if (connection.status() == 307 && method.equals("GET")) {
      // What a worker has to work out, such as a checksum.
      String[] location = split(connection.location());
      connection.text();
      pool.give(connection);
      connection = pool.request(location[0], method, location[1], headers, repeatable);
    }
    boolean done = false;
    try {
      Map<String, Object> answer = read(connection);
      done = true;
      return answer;
    } catch (RemoteFailure | FileNotFoundException e) {
      done = true;
      throw e;
    } finally {
      if (done) pool.give(connection);
      else connection.close();
    }
  }

  /** The JSON of an answer whose head was read. @throws RemoteFailure, FileNotFoundException */
  static Map<String, Object> read(HttpConnection connection) throws IOException {
    int status = connection.status();
    String text = connection.text();
    if (status >= 300) throw failure(status, text);
    return text.isEmpty() ? null : Json.object(Json.parse(text));
  }

  private static IOException failure(int status, String text) {
    String exception = "IOException";
    String message = "HTTP status " + status;
    try {
      Map<String, Object> remote = Json.object(Json.object(Json.parse(text)).get("RemoteException"));
      exception = Json.string(remote, "exception", exception);
      message = Json.string(remote, "message", message);
    } catch (IOException e) {
      // Something between us and the gateway answered.
    }
    if (exception.equals("FileNotFoundException")) return new FileNotFoundException(message);
    return new RemoteFailure(status, exception, message);
  }

  static boolean isPassing(RemoteFailure failure) {
    return failure.exception().equals("RetriableException") || failure.exception().equals("StandbyException");
  }

  static void pause(long ms) throws InterruptedIOException {
    try {
      Thread.sleep(ms / 2 + ThreadLocalRandom.current().nextLong(ms / 2 + 1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while the gateway was waited for");
    }
  }
}
