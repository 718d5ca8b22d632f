package alluxio.client;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * Where the tasks of this program can run, in the names of its engine: the hint service is asked for places in these names. A plug-in of
 * the engine in the same JVM keeps it; without one hosts are called as their workers are.
 */
public final class TaskHosts {
  private static final TaskHosts OF_THIS_PROGRAM = new TaskHosts();
  /** Of what another JVM keeps. */
  private static final long MAX_AGE_NS = 2_000_000_000L;
  private static final String WITHOUT_PLUG_IN = "\"for\":\"hadoop\"";

  /** How places are told. */
  public enum Form {
    /** Hosts of executors, whether executors are there or not. */
    ANY_HOST,
    /** Hosts of executors that are there, as these call them. */
    HOST,
    /** Executors that are there, as {@code executor_HOST_ID}, by the nodes on which they run. */
    EXECUTOR
  }

  /** An executor; both names may come in either order. */
  private static final class Executor {
    String host;
    String node;
  }

  private Form form;
  private int expected;
  private long waitNs;
  /** Since the first question; null: none yet. */
  private Long waitingSinceNs;
  private final Map<String, Executor> executors = new LinkedHashMap<>();
  private Callable<String> elsewhere;
  private long askedNs;
  /** Part of each question; null: to be made. */
  private String question;

  TaskHosts() {}

  /** There is one, since the plug-in and the file systems do not know each other. */
  public static TaskHosts ofThisProgram() {
    return OF_THIS_PROGRAM;
  }

  /**
   * @param expected executors that will come; 0 where nobody knows: then it is one at least
   * @param waitMs how long, from the first question on, those who ask wait for them
   */
  public synchronized void begin(Form form, int expected, long waitMs) {
    end();
    this.form = form;
    this.expected = Math.max(1, expected);
    waitNs = waitMs * 1_000_000;
    waitingSinceNs = null;
  }

  /** Places are as another JVM of the program knows them. @param asked its {@link #question} */
  public synchronized void follow(Callable<String> asked) {
    end();
    elsewhere = asked;
    askedNs = System.nanoTime() - MAX_AGE_NS;
  }

  public synchronized void end() {
    form = null;
    elsewhere = null;
    executors.clear();
    changed();
  }

  /** @param host as the engine calls it */
  public synchronized void runs(String id, String host) {
    executors.computeIfAbsent(id, key -> new Executor()).host = host;
    changed();
  }

  /** @param node the machine, as Alluxio's workers or the table of aliases call it */
  public synchronized void runsOn(String id, String node) {
    executors.computeIfAbsent(id, key -> new Executor()).node = node;
    changed();
  }

  public synchronized void gone(String id) {
    executors.remove(id);
    changed();
  }

  private void changed() {
    question = null;
    notifyAll();
  }

  /** The part of a question to the hint service that says how places are to be told, JSON without braces. */
  public synchronized String question() {
    if (elsewhere != null) return asked();
    if (form == null) return WITHOUT_PLUG_IN;
    awaitExecutors();
    return known();
  }

  /** The same without waiting for executors, for who asks on behalf of one: by the same way others may have to say that they are there. */
  public synchronized String known() {
    if (question == null) question = made();
    return question;
  }

  private String asked() {
    if (System.nanoTime() - askedNs < MAX_AGE_NS) return question;
    try {
      question = elsewhere.call();
    } catch (Exception e) {
      // It ends, or has no plug-in.
      question = WITHOUT_PLUG_IN;
    }
    askedNs = System.nanoTime();
    return question;
  }

  private void awaitExecutors() {
    if (waitingSinceNs == null) waitingSinceNs = System.nanoTime();
    try {
      // Of one that has come both names are to be known.
      while (form != null && (count() < expected || count() < executors.size())) {
        long leftMs = (waitNs - (System.nanoTime() - waitingSinceNs)) / 1_000_000;
        if (leftMs <= 0) return;
        wait(leftMs);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private int count() {
    int count = 0;
    for (Executor each : executors.values()) if (isKnown(each)) count++;
    return count;
  }

  private boolean isKnown(Executor each) {
    return each.host != null && (form != Form.EXECUTOR || each.node != null);
  }

  private String made() {
    if (form == null) return WITHOUT_PLUG_IN;
    StringBuilder json = new StringBuilder("\"for\":\"spark\"");
    if (form == Form.ANY_HOST || count() == 0) return json.toString();
    Set<String> hosts = new LinkedHashSet<>();
    for (Executor each : executors.values()) {
      if (isKnown(each)) hosts.add(form == Form.HOST ? each.host : each.node);
    }
    String separator = ",\"candidates\":[";
    for (String host : hosts) {
      json.append(separator);
      Json.quote(host, json);
      separator = ",";
    }
    json.append(']');
    if (form == Form.HOST) return json.toString();
    separator = ",\"engine\":{\"executors\":[";
    for (Map.Entry<String, Executor> entry : executors.entrySet()) {
      Executor each = entry.getValue();
      if (!isKnown(each)) continue;
      Json.quote(each.node, json.append(separator).append("{\"node\":"));
      Json.quote(each.host, json.append(",\"host\":"));
      Json.quote(entry.getKey(), json.append(",\"id\":"));
      json.append('}');
      separator = ",";
    }
    return json.append("]}").toString();
  }
}
