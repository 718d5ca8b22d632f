package alluxio.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HttpConnectionTest {
  private ServerSocket server;
  private final AtomicInteger connections = new AtomicInteger();
  private volatile String[] answers;
  private HttpPool pool;

  @BeforeEach
  void listen() throws IOException {
    server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    pool = new HttpPool(1_000, 500);
  }

  @AfterEach
  void close() throws IOException {
    pool.close();
    server.close();
  }

  /** Each connection gets these answers, one for each request, and then ends. */
  private String answering(String... wanted) {
    boolean isFirst = answers == null;
    answers = wanted;
    String address = "127.0.0.1:" + server.getLocalPort();
    if (!isFirst) return address;
    Thread thread =
        new Thread(
            () -> {
              while (true) {
                try (Socket socket = server.accept()) {
                  connections.incrementAndGet();
                  for (String answer : answers) {
                    if (!readRequest(socket.getInputStream())) break;
                    socket.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
                  }
                } catch (IOException e) {
                  return;
                }
              }
            });
    thread.setDaemon(true);
    thread.start();
    return address;
  }

  private static boolean readRequest(InputStream in) throws IOException {
    for (int matched = 0; matched < 4; ) {
      int c = in.read();
      if (c < 0) return false;
      matched = c == "\r\n\r\n".charAt(matched) ? matched + 1 : c == '\r' ? 1 : 0;
    }
    return true;
  }

  private HttpConnection get(String address) throws IOException {
    return pool.request(address, "GET", "/", "", true);
  }

  private static String sized(String body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
  }

  @Test
  void keepsAConnectionThatWasReadToItsEnd() throws IOException {
    String chunks = "3;x=y\r\ntwo\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    String chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks;
    String address = answering(sized("one"), chunked, sized(""));
    for (String body : new String[] {"one", "two0123456789", ""}) {
      HttpConnection connection = get(address);
      assertEquals(body, connection.text());
      pool.give(connection);
    }
    assertEquals(1, connections.get());
  }

  @Test
  void closesAConnectionThatWasNot() throws IOException {
    String address = answering(sized("one"));
    HttpConnection connection = get(address);
    assertEquals('o', readByte(connection));
    pool.give(connection);
    assertEquals("one", get(address).text());
    assertEquals(2, connections.get());
  }

  private static int readByte(HttpConnection connection) throws IOException {
    byte[] one = new byte[1];
    return connection.read(one, 0, 1) < 0 ? -1 : one[0];
  }

  @Test
  void readsIntoDirectBuffersAndTellsTheEnd() throws IOException {
    HttpConnection connection = get(answering(sized("x".repeat(40_000))));
    ByteBuffer target = ByteBuffer.allocateDirect(50_000);
    while (connection.read(target) >= 0) assertTrue(target.position() <= 40_000);
    assertEquals(40_000, target.position());
  }

  @Test
  void asksAgainWhenTheServerHadClosedMeanwhileButOnlyIfThatDoesNoHarm() throws IOException {
    String address = answering(sized("one"));
    HttpConnection first = get(address);
    first.text();
    pool.give(first);
    assertEquals("one", get(address).text());
    HttpConnection second = get(address);
    second.text();
    pool.give(second);
    assertThrows(IOException.class, () -> pool.request(address, "PUT", "/", "", false));
  }

  @Test
  void aBodyCutShortIsNoEnd() throws IOException {
    String address = answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    assertThrows(EOFException.class, () -> get(address).text());
  }

  @Test
  void aChunkedBodyCutShortIsNoEnd() throws IOException {
    String address = answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assertThrows(EOFException.class, () -> get(address).text());
  }

  @Test
  void headsAreBounded() {
    String address = answering("HTTP/1.1 200 OK\r\nX: " + "y".repeat(100_000) + "\r\n\r\n");
    assertThrows(IOException.class, () -> get(address));
  }

  @Test
  void whatIsNoHttpIsRefused() {
    assertThrows(IOException.class, () -> get(answering("SSH-2.0-x\r\n\r\n")));
    assertThrows(IOException.class, () -> get(answering("HTTP/1.1 200 OK\r\n\r\n")));
    for (String length : new String[] {"x", "-1", "99999999999999999999"}) {
      assertThrows(IOException.class, () -> get(answering("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n")));
    }
  }

  @Test
  void aSilentServerIsGivenUp() {
    assertThrows(SocketTimeoutException.class, () -> get(answering("", sized("late"))));
  }

  @Test
  void nobodyThereIsToldApart() throws IOException {
    server.close();
    assertThrows(ConnectException.class, () -> get("127.0.0.1:" + server.getLocalPort()));
  }

  @Test
  void continueIsSeenOnlyByWhoAskedForIt() throws IOException {
    String address = answering("HTTP/1.1 100 Continue\r\n\r\n" + sized("one"));
    HttpConnection connection = get(address);
    assertEquals(200, connection.status());
    assertEquals("one", connection.text());
    assertNull(connection.location());
    HttpConnection asking = pool.fresh(address);
    asking.send("PUT", "/", "Expect: 100-continue\r\n");
    assertEquals(100, asking.receive(true));
    assertEquals(200, asking.receive(false));
    assertFalse(asking.text().isEmpty());
  }
}
