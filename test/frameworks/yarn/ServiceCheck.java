import com.fasterxml.jackson.databind.ObjectMapper;
import javax.ws.rs.core.MediaType;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.service.api.records.Component;
import org.apache.hadoop.yarn.service.api.records.PlacementConstraint;
import org.apache.hadoop.yarn.service.api.records.Service;
import org.apache.hadoop.yarn.service.utils.ServiceApiUtil;
import org.apache.hadoop.yarn.service.utils.SliderFileSystem;
import org.apache.hadoop.yarn.webapp.YarnJacksonJaxbJsonProvider;

/** Reads services as YARN's API server does and judges them by its rules. Arguments: a folder, then the JSON of each. */
public final class ServiceCheck {
  public static void main(String[] args) throws Exception {
    Configuration conf = new YarnConfiguration();
    conf.set("fs.defaultFS", "file:///");
    conf.set("yarn.service.base.path", args[0]);
    ObjectMapper reader = new YarnJacksonJaxbJsonProvider().locateMapper(Service.class, MediaType.APPLICATION_JSON_TYPE);
    for (int i = 1; i < args.length; i++) {
      String verdict;
      try {
        Service service = reader.readValue(args[i], Service.class);
        ServiceApiUtil.validateAndResolveService(service, new SliderFileSystem(conf), conf);
        Component component = service.getComponents().get(0);
        PlacementConstraint constraint = component.getPlacementPolicy().getConstraints().get(0);
        verdict =
            service.getName() + " " + component.getNumberOfContainers() + " x " + component.getResource().getMemory() + " MB, "
                + constraint.getType() + " " + constraint.getScope() + " " + constraint.getNodeAttributes();
      } catch (IllegalArgumentException | java.io.IOException e) {
        verdict = "refused: " + e.getMessage();
      }
      System.out.println("verdict: " + verdict.replace('\n', ' '));
    }
  }
}
