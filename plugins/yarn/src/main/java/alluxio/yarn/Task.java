package alluxio.yarn;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;

/**
 * One group of splits on its way through containers. It asks for its nodes alone first, while that pays, then for nodes, racks and
 * anything: the two at priorities of their own, since YARN refuses to mix them, and since the delay of YARN's scheduler is
 * counted in heartbeats of all nodes together and at most as many as there are nodes.
 */
final class Task {
  enum State {
    WAITING,
    RUNNING,
    DONE,
    FAILED
  }

  /** From 1; YARN tells by it whose request a container answers. */
  final int number;
  final SplitGroup group;
  State state = State.WAITING;
  /** What the ResourceManager has not answered yet. */
  ContainerRequest request;
  boolean isStrict;
  Container container;
  int exitCode;
  private final Set<String> failedOn = new HashSet<>();
  private int attempts;
  private int charged;
  private long askedNs;

  Task(int number, SplitGroup group) {
    this.number = number;
    this.group = group;
  }

  /** The request to make next. @param strict whether other nodes than those of the data will not do */
  ContainerRequest ask(boolean strict, Resource resource, Map<String, String> racks, int tasks) {
    List<String> nodes = new ArrayList<>();
    for (String host : group.hosts()) if (racks.containsKey(host) && !failedOn.contains(host)) nodes.add(host);
    isStrict = strict && !nodes.isEmpty();
    String[] names = nodes.isEmpty() ? null : nodes.toArray(new String[0]);
    String[] rackNames = nodes.isEmpty() || isStrict ? null : nodes.stream().map(racks::get).distinct().toArray(String[]::new);
    Priority priority = Priority.newInstance(isStrict ? number : tasks + number);
    request = new ContainerRequest(resource, names, rackNames, priority, number, !isStrict);
    state = State.WAITING;
    askedNs = System.nanoTime();
    return request;
  }

  boolean hasWaited(long ms) {
    return state == State.WAITING && isStrict && System.nanoTime() - askedNs > ms * 1_000_000;
  }

  void runsIn(Container on) {
    container = on;
    request = null;
    state = State.RUNNING;
    attempts++;
  }

  /**
   * @param isOurs whether the command is to blame, and not YARN, which took the container away
   * @return whether it is to be run again
   */
  boolean ended(int exit, boolean isOurs, int retries) {
    exitCode = exit;
    if (exit == 0) {
      state = State.DONE;
      return false;
    }
    failedOn.add(container.getNodeId().getHost());
    if (isOurs) charged++;
    state = charged > retries ? State.FAILED : State.WAITING;
    return state == State.WAITING;
  }

  boolean isOver() {
    return state == State.DONE || state == State.FAILED;
  }

  /** Whether it ran, at last, where its data are. */
  boolean wasLocal() {
    return container != null && group.isLocal() && group.hosts().contains(container.getNodeId().getHost());
  }

  void describe(ObjectNode into) {
    into.put("container", container == null ? "" : container.getId().toString());
    into.put("host", container == null ? "" : container.getNodeId().getHost());
    ArrayNode wanted = into.putArray("wanted");
    group.hosts().forEach(wanted::add);
    into.put("local", wasLocal());
    into.put("attempts", attempts);
    into.put("exitCode", exitCode);
    ArrayNode inputs = into.putArray("inputs");
    group.inputs().forEach(inputs::add);
  }
}
