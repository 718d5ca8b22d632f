package alluxio.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The hint service that answers, refuses, is slow and is gone, beside a proxy that knows the block map. */
class BlockLocationsTest {
  private static final String FILE =
      "{\"pathSuffix\":\"f\",\"type\":\"FILE\",\"length\":25,\"blockSize\":10,\"permission\":\"644\",\"fileId\":1}";

  private HttpServer proxy;
  private HttpServer master;
  private final List<String> questions = Collections.synchronizedList(new ArrayList<>());
  private final List<String> warnings = new ArrayList<>();
  private volatile int status = 200;
  private volatile long delayMs;
  private AlluxioClient client;

  @BeforeEach
  void listen() throws IOException {
    proxy = serve(this::proxy);
    master = serve(this::hints);
    client = client(address(master), 300);
  }

  @AfterEach
  void close() {
    client.close();
    proxy.stop(0);
    master.stop(0);
  }

  private interface Handled {
    void handle(HttpExchange exchange) throws IOException;
  }

  private static HttpServer serve(Handled handled) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 50);
    server.setExecutor(
        Executors.newCachedThreadPool(
            run -> {
              Thread thread = new Thread(run);
              thread.setDaemon(true);
              return thread;
            }));
    server.createContext("/", handled::handle);
    server.start();
    return server;
  }

  private static String address(HttpServer server) {
    return "127.0.0.1:" + server.getAddress().getPort();
  }

  private AlluxioClient client(String hints, int timeoutMs) {
    return new AlluxioClient(ClientOptions.of(address(proxy), "alice").withHints(hints, timeoutMs), warnings::add);
  }

  private void proxy(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    if (query.startsWith("op=HINTS")) hints(exchange);
    else if (query.startsWith("op=LISTLOCATED")) {
      answer(exchange, 200, "{\"LocatedListing\":{\"entries\":[{\"FileStatus\":" + FILE + ",\"blocks\":[" + block() + "]}],\"more\":false}}");
    } else if (query.startsWith("op=GETFILEBLOCKLOCATIONS")) {
      answer(exchange, 200, "{\"BlockLocations\":{\"BlockLocation\":[" + block() + "]}}");
    } else {
      answer(exchange, 200, "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\":[" + FILE + "]}},\"remainingEntries\":0}}");
    }
  }

  private static String block() {
    return "{\"offset\":0,\"length\":25,\"hosts\":[\"map\"],\"names\":[\"map:1\"]}";
  }

  private void hints(HttpExchange exchange) throws IOException {
    URI uri = exchange.getRequestURI();
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    questions.add(uri + " " + body);
    try {
      Thread.sleep(delayMs);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    int ranges = body.split("\"path\":", -1).length - 1;
    List<String> answers = new ArrayList<>();
    for (int i = 0; i < ranges; i++) answers.add("{\"path\":\"/d/f\",\"locations\":[\"h" + i + "\",\"x\"]}");
    answer(exchange, status, status == 200 ? "[" + String.join(",", answers) + "]" : "{\"code\":\"NO\",\"message\":\"not so\"}");
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  private List<List<String>> hostsOfListing() throws IOException {
    List<List<String>> hosts = new ArrayList<>();
    for (BlockPlace place : client.locations().list("/d", null).places().get(0)) hosts.add(place.hosts());
    return hosts;
  }

  private static final List<List<String>> BY_HINTS = List.of(List.of("h0", "x"), List.of("h1", "x"), List.of("h2", "x"));
  private static final List<List<String>> BY_MAP = List.of(List.of("map"));

  @Test
  void aListingIsOneQuestionOfAllItsBlocks() throws IOException {
    assertEquals(BY_HINTS, hostsOfListing());
    assertEquals(1, questions.size());
    assertEquals(
        "/api/v1/hints/locate?user.name=alice {\"paths\":[],\"blocks\":false,\"top\":3,\"for\":\"hadoop\",\"ranges\":["
            + "{\"path\":\"/d/f\",\"offset\":0,\"length\":10},{\"path\":\"/d/f\",\"offset\":10,\"length\":10},"
            + "{\"path\":\"/d/f\",\"offset\":20,\"length\":5}]}",
        questions.get(0));
    assertEquals(1, client.locations().answered());
    assertEquals(List.of(), warnings);
  }

  @Test
  void aPartOfAFileIsTheBlocksThatItTouches() throws IOException {
    List<BlockPlace> places = client.locations().of("/d/f", 25, 10, 12, 100);
    assertEquals(2, places.size());
    assertEquals(10, places.get(0).offset());
    assertEquals(5, places.get(1).length());
    assertEquals(List.of("h1", "x"), places.get(1).hosts());
  }

  @Test
  void theProxyIsAskedInTheNameOfTheCaller() throws IOException {
    client.close();
    client = client(address(proxy), 300);
    assertEquals(BY_HINTS, hostsOfListing());
    assertTrue(questions.get(0).startsWith("/webhdfs/v1/?op=HINTS&user.name=alice {"), questions.get(0));
  }

  @Test
  void withoutHintsTheBlockMapAnswers() throws IOException {
    client.close();
    client = client(null, 300);
    assertEquals(BY_MAP, hostsOfListing());
    assertEquals(List.of(), questions);
    assertEquals(0, client.locations().unanswered());
  }

  @Test
  void aServiceThatIsGoneOrBrokenIsLeftAloneForAWhileAndToldOfOnce() throws Exception {
    status = 500;
    assertEquals(BY_MAP, hostsOfListing());
    assertEquals(BY_MAP, hostsOfListing());
    assertEquals(1, questions.size());
    assertEquals(1, client.locations().unanswered());
    assertEquals(1, warnings.size());
    assertTrue(warnings.get(0).contains("does not answer") && warnings.get(0).contains("not so"), warnings.get(0));
    status = 200;
    Thread.sleep(1_050);
    assertEquals(BY_HINTS, hostsOfListing());
    assertEquals(1, warnings.size());
    master.stop(0);
    assertEquals(BY_MAP, hostsOfListing());
    assertEquals(2, warnings.size());
  }

  @Test
  void aSlowServiceIsNotWaitedFor() throws IOException {
    delayMs = 2_000;
    long begun = System.nanoTime();
    assertEquals(BY_MAP, hostsOfListing());
    assertTrue(System.nanoTime() - begun < 1_900_000_000L);
    assertEquals(1, warnings.size());
    // The next one does not wait at all.
    assertEquals("map", client.locations().of("/d/f", 25, 10, 0, 25).get(0).hosts().get(0));
    assertEquals(1, questions.size());
  }

  @Test
  void aRefusalConcernsItsQuestionOnly() throws IOException {
    status = 403;
    assertEquals(BY_MAP, hostsOfListing());
    status = 200;
    assertEquals(BY_HINTS, hostsOfListing());
    status = 403;
    assertEquals(BY_MAP, hostsOfListing());
    assertEquals(1, warnings.size());
    assertEquals(2, client.locations().unanswered());
  }
}
