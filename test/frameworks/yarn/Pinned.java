import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.ExecutionType;
import org.apache.hadoop.yarn.api.records.ExecutionTypeRequest;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.NodeAttributeOpCode;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.ResourceSizing;
import org.apache.hadoop.yarn.api.records.SchedulingRequest;
import org.apache.hadoop.yarn.api.resource.PlacementConstraint;
import org.apache.hadoop.yarn.api.resource.PlacementConstraints;
import org.apache.hadoop.yarn.api.resource.PlacementConstraints.PlacementTargets;
import org.apache.hadoop.yarn.client.api.AMRMClient;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;

/**
 * Asks for containers as the master of YARN Services does for a component with {@code node_attributes}, and tells the nodes that
 * it got. Arguments: how many, then attributes, one after the other.
 */
public final class Pinned {
  private static final int ROUNDS = 600;
  private static final long ROUND_MS = 100;

  public static void main(String[] args) throws Exception {
    Configuration conf = new YarnConfiguration();
    for (int i = 1; i < args.length; i++)
      System.out.println("pinned to " + args[i] + ": " + String.join(" ", nodes(conf, args[i], Integer.parseInt(args[0]))));
  }

  private static List<String> nodes(Configuration conf, String attribute, int wanted) throws Exception {
    try (YarnClient yarn = YarnClient.createYarnClient()) {
      yarn.init(conf);
      yarn.start();
      ApplicationSubmissionContext submission = yarn.createApplication().getApplicationSubmissionContext();
      submission.setApplicationName("pinned");
      submission.setQueue("default");
      submission.setUnmanagedAM(true);
      submission.setResource(Resource.newInstance(64, 1));
      submission.setAMContainerSpec(
          ContainerLaunchContext.newInstance(new HashMap<>(), new HashMap<>(), new ArrayList<>(), null, null, null));
      ApplicationId id = yarn.submitApplication(submission);
      UserGroupInformation.getCurrentUser().addToken(token(yarn, id));
      return ask(conf, attribute, wanted);
    }
  }

  private static Token<?> token(YarnClient yarn, ApplicationId id) throws Exception {
    for (int i = 0; i < ROUNDS; i++, Thread.sleep(ROUND_MS)) {
      Token<?> token = yarn.getAMRMToken(id);
      if (token != null) return token;
    }
    throw new IOException(id + " is not launched");
  }

  private static List<String> ask(Configuration conf, String attribute, int wanted) throws Exception {
    List<String> nodes = new ArrayList<>();
    try (AMRMClient<ContainerRequest> manager = AMRMClient.createAMRMClient()) {
      manager.init(conf);
      manager.start();
      PlacementConstraint pin =
          PlacementConstraints.build(
              PlacementConstraints.targetNodeAttribute(
                  PlacementConstraints.NODE, NodeAttributeOpCode.EQ, PlacementTargets.nodeAttribute(attribute, "true")));
      manager.registerApplicationMaster("", 0, "", Collections.singletonMap(Collections.singleton("task"), pin));
      manager.addSchedulingRequests(
          Collections.singletonList(
              SchedulingRequest.newInstance(
                  1,
                  Priority.newInstance(1),
                  ExecutionTypeRequest.newInstance(ExecutionType.GUARANTEED, true),
                  Collections.singleton("task"),
                  ResourceSizing.newInstance(wanted, Resource.newInstance(64, 1)),
                  null)));
      for (int i = 0; i < ROUNDS && nodes.size() < wanted; i++, Thread.sleep(ROUND_MS))
        for (Container container : manager.allocate(0).getAllocatedContainers()) nodes.add(container.getNodeId().getHost());
      manager.unregisterApplicationMaster(FinalApplicationStatus.SUCCEEDED, "", "");
    }
    return nodes;
  }
}
