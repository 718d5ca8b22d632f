package alluxio.yarn;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.yarn.api.ApplicationConstants;
import org.apache.hadoop.yarn.api.ApplicationConstants.Environment;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerExitStatus;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.LocalResourceVisibility;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.URL;
import org.apache.hadoop.yarn.client.api.AMRMClient;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.apache.hadoop.yarn.client.api.NMClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.YarnException;

/** Asks for hints and containers, runs the command in them, and leaves a report for the client. */
public final class ApplicationMaster {
  static final String CONFIGURATION = "launcher.xml";
  static final String SCRIPT = "run.sh";
  static final String REPORT = "report.json";
  /** Ends the command of a container. */
  static final String TO_LOGS =
      " 1>" + ApplicationConstants.LOG_DIR_EXPANSION_VAR + "/stdout 2>" + ApplicationConstants.LOG_DIR_EXPANSION_VAR + "/stderr";

  private static final String RACKS = "alluxio.launcher.racks";
  private static final String STAGING = "alluxio.launcher.staging";
  /** For these the command is not to blame. */
  private static final Set<Integer> TAKEN_AWAY =
      Set.of(ContainerExitStatus.ABORTED, ContainerExitStatus.PREEMPTED, ContainerExitStatus.KILLED_BY_RESOURCEMANAGER);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long HEARTBEAT_MS = 200;
  /** A node that is gone holds up nobody else for longer. */
  private static final long NODE_CONNECT_MS = 10_000;

  private final Configuration conf;
  private final JobOptions options;
  private final Map<String, String> racks;
  private final FileSystem fs;
  private final Path staging;
  private final Map<String, LocalResource> files = new HashMap<>();
  private final AMRMClient<ContainerRequest> manager = AMRMClient.createAMRMClient();
  private final NMClient nodes = NMClient.createNMClient();
  private final List<Task> tasks = new ArrayList<>();
  private final Map<ContainerId, Task> running = new HashMap<>();
  private Resource resource;
  /** Why the hints could not be used; null if they were. */
  private String whyNoHints;

  /** What the client knows besides the options. @param racks of the nodes that live, by their names */
  static void putInto(Configuration conf, Map<String, String> racks, String staging) throws IOException {
    conf.set(RACKS, JSON.writeValueAsString(racks));
    conf.set(STAGING, staging);
  }

  static LocalResource resourceOf(FileSystem fs, Path path) throws IOException {
    FileStatus status = fs.getFileStatus(path);
    return LocalResource.newInstance(
        URL.fromPath(fs.makeQualified(path)),
        LocalResourceType.FILE,
        LocalResourceVisibility.APPLICATION,
        status.getLen(),
        status.getModificationTime());
  }

  public static void main(String[] args) throws Exception {
    Configuration conf = new YarnConfiguration();
    conf.addResource(new Path("file://" + System.getenv(Environment.PWD.name()) + "/" + CONFIGURATION));
    System.exit(new ApplicationMaster(conf).run() ? 0 : 1);
  }

  private ApplicationMaster(Configuration conf) throws IOException {
    this.conf = conf;
    conf.setLong(YarnConfiguration.CLIENT_NM_CONNECT_MAX_WAIT_MS, NODE_CONNECT_MS);
    options = JobOptions.of(conf);
    racks = JSON.readValue(conf.getRaw(RACKS), new TypeReference<Map<String, String>>() {});
    staging = new Path(conf.getRaw(STAGING));
    fs = staging.getFileSystem(conf);
    files.put(SCRIPT, resourceOf(fs, new Path(staging, SCRIPT)));
    for (String file : options.list("--file")) {
      String name = new Path(file).getName();
      files.put(name, resourceOf(fs, new Path(staging, name)));
    }
  }

  private boolean run() throws IOException, InterruptedException, YarnException {
    manager.init(conf);
    manager.start();
    nodes.init(conf);
    nodes.start();
    manager.registerApplicationMaster("", 0, "");
    resource = Resource.newInstance(options.number("--memory"), options.number("--vcores"));
    for (SplitGroup group : SplitGroup.of(splits(), options.number("--per-node"), racks.size()))
      tasks.add(new Task(tasks.size() + 1, group));
    for (Task task : tasks) ask(task, task.group.isLocal() && options.number("--wait") > 0);
    String failure = null;
    try {
      while (!tasks.stream().allMatch(Task::isOver)) {
        round();
        Thread.sleep(HEARTBEAT_MS);
      }
    } catch (YarnException | IOException | RuntimeException e) {
      // Such as a container that no node has room for.
      failure = e.toString();
    }
    String diagnostics = leaveReport(failure);
    boolean isGood = failure == null && exitCode() == 0;
    FinalApplicationStatus status = isGood ? FinalApplicationStatus.SUCCEEDED : FinalApplicationStatus.FAILED;
    manager.unregisterApplicationMaster(status, diagnostics, "");
    nodes.stop();
    manager.stop();
    return isGood;
  }

  private List<Split> splits() throws InterruptedException {
    try {
      HintService hints = new HintService(options.text("--hints"), options.text("--user"));
      List<Split> splits = hints.assign(options.inputs(), racks.keySet());
      if (!splits.isEmpty()) return splits;
      whyNoHints = "the inputs hold nothing";
    } catch (IOException e) {
      whyNoHints = e.getMessage();
    }
    System.err.println("containers go anywhere: " + whyNoHints);
    return options.inputs().stream().map(Split::whole).collect(Collectors.toList());
  }

  private void ask(Task task, boolean strict) {
    if (task.request != null) manager.removeContainerRequest(task.request);
    manager.addContainerRequest(task.ask(strict, resource, racks, tasks.size()));
  }

  private void round() throws IOException, YarnException {
    long over = tasks.stream().filter(Task::isOver).count();
    AllocateResponse answer = manager.allocate((float) over / tasks.size());
    for (Container container : answer.getAllocatedContainers()) start(container);
    for (ContainerStatus status : answer.getCompletedContainersStatuses()) {
      Task task = running.remove(status.getContainerId());
      if (task != null) ended(task, status.getExitStatus());
    }
    long waitMs = options.number("--wait") * 1000L;
    for (Task task : tasks) if (task.hasWaited(waitMs)) ask(task, false);
  }

  private void start(Container container) {
    long number = container.getAllocationRequestId();
    Task task = number > 0 && number <= tasks.size() ? tasks.get((int) number - 1) : null;
    if (task == null || task.state != Task.State.WAITING) {
      // Both requests of a task were answered.
      manager.releaseAssignedContainer(container.getId());
      return;
    }
    manager.removeContainerRequest(task.request);
    task.runsIn(container);
    Map<String, String> environment = Map.of("ALLUXIO_INPUT", String.join(" ", task.group.inputs()));
    List<String> command = List.of("/bin/sh " + SCRIPT + TO_LOGS);
    try {
      nodes.startContainer(container, ContainerLaunchContext.newInstance(files, environment, command, null, null, null));
      running.put(container.getId(), task);
    } catch (IOException | YarnException e) {
      System.err.println(container.getId() + " does not start on " + container.getNodeId() + ": " + e);
      manager.releaseAssignedContainer(container.getId());
      ended(task, ContainerExitStatus.INVALID);
    }
  }

  private void ended(Task task, int exit) {
    if (task.ended(exit, !TAKEN_AWAY.contains(exit), options.number("--retries"))) ask(task, false);
  }

  /** Of the first task that failed, as far as a process can end with it. */
  private int exitCode() {
    for (Task task : tasks) {
      if (task.state != Task.State.DONE) return task.exitCode > 0 && task.exitCode < 256 ? task.exitCode : 1;
    }
    return 0;
  }

  /** Returns it in one line. */
  private String leaveReport(String failure) throws IOException {
    long local = tasks.stream().filter(Task::wasLocal).count();
    ObjectNode report = JSON.createObjectNode();
    report.put("application", applicationId());
    report.put("exitCode", failure == null ? exitCode() : Math.max(1, exitCode()));
    report.put("hints", whyNoHints == null ? "used" : whyNoHints);
    if (failure != null) report.put("failure", failure);
    report.put("local", local);
    report.put("other", tasks.size() - local);
    ArrayNode containers = report.putArray("containers");
    for (Task task : tasks) task.describe(containers.addObject());
    try (OutputStream out = fs.create(new Path(staging, REPORT), true)) {
      out.write(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(report));
    }
    String hints = whyNoHints == null ? "" : "; " + whyNoHints;
    String end = failure == null ? "" : "; " + failure;
    return local + " of " + tasks.size() + " containers beside their inputs" + hints + end;
  }

  private static String applicationId() {
    ContainerId own = ContainerId.fromString(System.getenv(Environment.CONTAINER_ID.name()));
    return own.getApplicationAttemptId().getApplicationId().toString();
  }
}
