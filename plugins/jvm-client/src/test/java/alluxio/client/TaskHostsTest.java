package alluxio.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import alluxio.client.TaskHosts.Form;
import org.junit.jupiter.api.Test;

class TaskHostsTest {
  private final TaskHosts hosts = new TaskHosts();

  @Test
  void withoutPlugInHostsAreCalledAsTheirWorkersAre() {
    assertEquals("\"for\":\"hadoop\"", hosts.question());
    hosts.begin(Form.HOST, 0, 0);
    assertEquals("\"for\":\"spark\"", hosts.question());
    hosts.end();
    assertEquals("\"for\":\"hadoop\"", hosts.question());
  }

  @Test
  void eachHostOnceWhileAnExecutorIsThere() {
    hosts.begin(Form.HOST, 0, 0);
    hosts.runs("0", "10.0.0.1");
    hosts.runs("1", "10.0.0.2");
    hosts.runs("2", "10.0.0.1");
    assertEquals("\"for\":\"spark\",\"candidates\":[\"10.0.0.1\",\"10.0.0.2\"]", hosts.question());
    hosts.gone("0");
    hosts.gone("1");
    assertEquals("\"for\":\"spark\",\"candidates\":[\"10.0.0.1\"]", hosts.question());
    hosts.begin(Form.ANY_HOST, 0, 0);
    hosts.runs("0", "10.0.0.1");
    assertEquals("\"for\":\"spark\"", hosts.question());
  }

  @Test
  void executorsAreToldOnceTheirNodeIsKnown() {
    hosts.begin(Form.EXECUTOR, 0, 0);
    hosts.runsOn("7", "node \"a\"");
    hosts.runs("8", "10.0.0.8");
    assertEquals("\"for\":\"spark\"", hosts.question());
    hosts.runs("7", "10.0.0.7");
    assertEquals(
        "\"for\":\"spark\",\"candidates\":[\"node \\\"a\\\"\"],\"engine\":{\"executors\":"
            + "[{\"node\":\"node \\\"a\\\"\",\"host\":\"10.0.0.7\",\"id\":\"7\"}]}",
        hosts.question());
  }

  @Test
  void executorsAreWaitedFor() throws InterruptedException {
    hosts.begin(Form.EXECUTOR, 2, 10_000);
    hosts.runsOn("0", "a");
    hosts.runs("0", "h");
    hosts.runs("1", "h");
    assertTrue(hosts.known().contains("\"candidates\":[\"a\"]"), hosts.known());
    Thread late = new Thread(() -> hosts.runsOn("1", "b"));
    late.start();
    assertTrue(hosts.question().contains("\"candidates\":[\"a\",\"b\"]"), hosts.question());
    late.join();
  }

  @Test
  void whoDoesNotComeIsWaitedForOnce() {
    hosts.begin(Form.HOST, 0, 20);
    long begun = System.nanoTime();
    hosts.question();
    assertTrue(System.nanoTime() - begun >= 15_000_000);
    begun = System.nanoTime();
    for (int i = 0; i < 100; i++) hosts.question();
    assertTrue(System.nanoTime() - begun < 1_000_000_000);
  }

  @Test
  void anotherJvmIsAskedNowAndThen() {
    int[] asked = new int[1];
    hosts.follow(() -> "\"for\":\"" + ++asked[0] + "\"");
    assertEquals("\"for\":\"1\"", hosts.question());
    assertEquals("\"for\":\"1\"", hosts.question());
    hosts.follow(
        () -> {
          throw new IllegalStateException("it ends");
        });
    assertEquals("\"for\":\"hadoop\"", hosts.question());
  }
}
