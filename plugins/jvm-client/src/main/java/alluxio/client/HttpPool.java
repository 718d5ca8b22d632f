package alluxio.client;

import java.io.IOException;
import java.net.ConnectException;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.concurrent.ConcurrentHashMap;

/** Kept-alive connections by address, the one used last first. */
final class HttpPool {
  /** Below the 5 s after which our servers close an idle connection. */
  private static final long MAX_IDLE_NS = 4_000_000_000L;
  private static final int MAX_IDLE = 64;
  private static final long SHUN_NS = 10_000_000_000L;

  private final int connectTimeoutMs;
  private final int readTimeoutMs;
  private final ConcurrentHashMap<String, ArrayDeque<HttpConnection>> idle = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<String, Long> shunnedUntil = new ConcurrentHashMap<>();
  private volatile boolean closed;

  HttpPool(int connectTimeoutMs, int readTimeoutMs) {
    this.connectTimeoutMs = connectTimeoutMs;
    this.readTimeoutMs = readTimeoutMs;
  }

  /**
   * Sends a request without a body and reads the head of the answer. One that only met a connection which the server had closed
   * meanwhile is sent again if that does no harm.
   *
   * @throws java.net.ConnectException when nothing was sent
   */
  HttpConnection request(String address, String method, String target, String headers, boolean repeatable)
      throws IOException {
    return request(address, method, target, headers, null, repeatable);
  }

  /** As above, with a body. */
  HttpConnection request(
      String address, String method, String target, String headers, byte[] body, boolean repeatable)
      throws IOException {
    for (; ; ) {
      HttpConnection connection = take(address);
      boolean reused = connection.used;
      try {
        if (body == null) connection.send(method, target, headers);
        else {
          connection.send(method, target, headers + "Content-Length: " + body.length + "\r\n");
          connection.write(body, 0, body.length);
        }
        connection.receive(false);
        return connection;
      } catch (java.net.SocketTimeoutException e) {
        connection.close();
        throw e;
      } catch (IOException e) {
        connection.close();
        if (!reused || !repeatable) throw e;
      }
    }
  }

  HttpConnection take(String address) throws IOException {
    ArrayDeque<HttpConnection> waiting = idle.get(address);
    if (waiting != null) {
      synchronized (waiting) {
        HttpConnection last = waiting.pollLast();
        if (last != null && System.nanoTime() - last.idleSinceNs < MAX_IDLE_NS) return last;
        if (last != null) last.close();
        for (HttpConnection older : waiting) older.close();
        waiting.clear();
      }
    }
    return fresh(address);
  }

  HttpConnection fresh(String address) throws IOException {
    try {
      return new HttpConnection(address, connectTimeoutMs, readTimeoutMs);
    } catch (ConnectException e) {
      shunnedUntil.put(address, System.nanoTime() + SHUN_NS);
      throw e;
    }
  }

  /** Whether nobody answered there lately: others are to be asked first. */
  boolean isShunned(String address) {
    if (shunnedUntil.isEmpty()) return false;
    Long until = shunnedUntil.get(address);
    if (until == null) return false;
    if (System.nanoTime() - until < 0) return true;
    shunnedUntil.remove(address, until);
    return false;
  }

  /** Takes a connection back; one whose answer was not read to the end is closed. */
  void give(HttpConnection connection) {
    try {
      if (closed || !connection.reusable()) {
        connection.close();
        return;
      }
    } catch (IOException e) {
      connection.close();
      return;
    }
    connection.idleSinceNs = System.nanoTime();
    ArrayDeque<HttpConnection> waiting = idle.computeIfAbsent(connection.address, key -> new ArrayDeque<>());
    synchronized (waiting) {
      if (waiting.size() >= MAX_IDLE) waiting.pollFirst().close();
      waiting.addLast(connection);
      Iterator<HttpConnection> oldest = waiting.iterator();
      while (oldest.hasNext()) {
        HttpConnection next = oldest.next();
        if (connection.idleSinceNs - next.idleSinceNs < MAX_IDLE_NS) break;
        next.close();
        oldest.remove();
      }
    }
    if (closed) close();
  }

  void close() {
    closed = true;
    for (ArrayDeque<HttpConnection> waiting : idle.values()) {
      synchronized (waiting) {
        for (HttpConnection connection : waiting) connection.close();
        waiting.clear();
      }
    }
  }
}
