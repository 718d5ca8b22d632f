package alluxio.yarn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.util.ClassUtil;
import org.apache.hadoop.yarn.api.ApplicationConstants;
import org.apache.hadoop.yarn.api.ApplicationConstants.Environment;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.NodeReport;
import org.apache.hadoop.yarn.api.records.NodeState;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.client.api.YarnClientApplication;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * The client: hands a job to YARN, waits for it, prints its report as JSON and ends with its exit status. An interrupted client takes
 * the job along.
 */
public final class AlluxioLauncher {
  private static final int USAGE_STATUS = 64;
  private static final long POLL_MS = 300;
  private static final Set<YarnApplicationState> OVER =
      EnumSet.of(YarnApplicationState.FINISHED, YarnApplicationState.FAILED, YarnApplicationState.KILLED);
  private static final String JAR = "alluxio-yarn.jar";

  private final JobOptions options;
  private final Configuration conf = new YarnConfiguration();
  private final YarnClient yarn = YarnClient.createYarnClient();
  private final Map<String, LocalResource> files = new HashMap<>();
  private FileSystem fs;
  private Path staging;

  private AlluxioLauncher(JobOptions options) {
    this.options = options;
  }

  public static void main(String[] args) throws Exception {
    JobOptions options;
    try {
      options = JobOptions.parse(args);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage() + "\n\n" + JobOptions.USAGE);
      System.exit(USAGE_STATUS);
      return;
    }
    System.exit(new AlluxioLauncher(options).run());
  }

  private int run() throws IOException, YarnException, InterruptedException {
    for (String pair : options.list("-D")) {
      int equals = pair.indexOf('=');
      conf.set(pair.substring(0, equals), pair.substring(equals + 1));
    }
    yarn.init(conf);
    yarn.start();
    YarnClientApplication application = yarn.createApplication();
    ApplicationId id = application.getNewApplicationResponse().getApplicationId();
    fs = FileSystem.get(conf);
    String folder = options.text("--staging");
    Path base = folder.isEmpty() ? new Path(fs.getHomeDirectory(), ".alluxio-launcher") : new Path(folder);
    staging = fs.makeQualified(new Path(base, id.toString()));
    Thread killer = new Thread(() -> kill(id));
    try {
      ApplicationSubmissionContext submission = submissionOf(application.getApplicationSubmissionContext());
      Runtime.getRuntime().addShutdownHook(killer);
      yarn.submitApplication(submission);
      System.err.println("submitted " + id);
      ApplicationReport end = await(id);
      Runtime.getRuntime().removeShutdownHook(killer);
      return report(end);
    } finally {
      fs.delete(staging, true);
    }
  }

  private ApplicationSubmissionContext submissionOf(ApplicationSubmissionContext submission)
      throws IOException, YarnException {
    Map<String, String> racks = new LinkedHashMap<>();
    for (NodeReport node : yarn.getNodeReports(NodeState.RUNNING))
      racks.put(node.getNodeId().getHost(), node.getRackName());
    options.putInto(conf);
    ApplicationMaster.putInto(conf, racks, staging.toString());
    upload(ApplicationMaster.CONFIGURATION, out -> conf.writeXml(out));
    upload(ApplicationMaster.SCRIPT, out -> out.write(options.script().getBytes(StandardCharsets.UTF_8)));
    uploadLocal(JAR, new Path(ClassUtil.findContainingJar(AlluxioLauncher.class)));
    for (String file : options.list("--file")) uploadLocal(new Path(file).getName(), new Path(file));

    String separator = ApplicationConstants.CLASS_PATH_SEPARATOR;
    StringBuilder classPath = new StringBuilder(Environment.PWD.$$()).append('/').append(JAR);
    String[] usual = YarnConfiguration.DEFAULT_YARN_CROSS_PLATFORM_APPLICATION_CLASSPATH;
    for (String entry : conf.getStrings(YarnConfiguration.YARN_APPLICATION_CLASSPATH, usual))
      classPath.append(separator).append(entry.trim());
    int memory = options.number("--master-memory");
    String command =
        Environment.JAVA_HOME.$$() + "/bin/java -Xmx" + memory * 3 / 4 + "m " + ApplicationMaster.class.getName() + ApplicationMaster.TO_LOGS;
    submission.setApplicationName(options.text("--name"));
    submission.setApplicationType("ALLUXIO");
    submission.setQueue(options.text("--queue"));
    // A second master would run again what is done.
    submission.setMaxAppAttempts(1);
    submission.setResource(Resource.newInstance(memory, 1));
    Map<String, String> environment = Map.of(Environment.CLASSPATH.name(), classPath.toString());
    submission.setAMContainerSpec(
        ContainerLaunchContext.newInstance(files, environment, List.of(command), null, null, null));
    return submission;
  }

  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private void upload(String name, Content content) throws IOException {
    Path path = new Path(staging, name);
    try (OutputStream out = fs.create(path, true)) {
      content.writeTo(out);
    }
    files.put(name, ApplicationMaster.resourceOf(fs, path));
  }

  private void uploadLocal(String name, Path local) throws IOException {
    if (files.containsKey(name)) throw new IOException("two files are called " + name);
    Path path = new Path(staging, name);
    fs.copyFromLocalFile(false, true, local, path);
    files.put(name, ApplicationMaster.resourceOf(fs, path));
  }

  private ApplicationReport await(ApplicationId id) throws IOException, YarnException, InterruptedException {
    for (; ; Thread.sleep(POLL_MS)) {
      ApplicationReport report = yarn.getApplicationReport(id);
      YarnApplicationState state = report.getYarnApplicationState();
      if (OVER.contains(state)) return report;
    }
  }

  /** Prints what the application master left; the job's exit status. */
  private int report(ApplicationReport end) throws IOException {
    Path path = new Path(staging, ApplicationMaster.REPORT);
    if (!fs.exists(path)) {
      System.err.println(end.getApplicationId() + " is " + end.getYarnApplicationState() + ": " + end.getDiagnostics());
      return 1;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (InputStream in = fs.open(path)) {
      IOUtils.copyBytes(in, bytes, conf, false);
    }
    System.out.println(bytes.toString(StandardCharsets.UTF_8));
    JsonNode report = new ObjectMapper().readTree(bytes.toByteArray());
    return report.path("exitCode").asInt(1);
  }

  private void kill(ApplicationId id) {
    try {
      yarn.killApplication(id);
    } catch (IOException | YarnException e) {
      System.err.println("could not end " + id + ": " + e.getMessage());
    }
  }
}
