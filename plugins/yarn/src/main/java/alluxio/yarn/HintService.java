package alluxio.yarn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** {@code POST /api/v1/hints/assign} of the master. */
final class HintService {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration CONNECT = Duration.ofSeconds(3);
  private static final Duration ANSWER = Duration.ofSeconds(30);

  private final String url;
  private final String user;

  HintService(String url, String user) {
    this.url = url.replaceAll("/+$", "");
    this.user = user;
  }

  /**
   * Splits of the inputs, as many as can be beside their bytes and about as many on each host.
   *
   * @param nodes names of hosts as YARN knows them, in which the answer is then
   * @throws IOException when the service is not there, is slow or refuses, with its words
   */
  List<Split> assign(List<String> inputs, Collection<String> nodes) throws IOException, InterruptedException {
    ObjectNode question = JSON.createObjectNode();
    ArrayNode paths = question.putArray("paths");
    inputs.forEach(paths::add);
    ArrayNode hosts = question.putArray("hosts");
    for (String node : nodes) hosts.addObject().put("host", node);
    JsonNode answer = post("assign", question.toString());
    List<Split> splits = new ArrayList<>();
    for (JsonNode split : answer.path("splits")) {
      List<String> alternates = new ArrayList<>(2);
      split.path("alternates").forEach(host -> alternates.add(host.asText()));
      String placement = split.path("placement").asText();
      splits.add(
          new Split(
              split.path("path").asText(),
              split.path("offset").asLong(),
              split.path("length").asLong(),
              split.path("host").asText(),
              placement.equals("LOCAL"),
              // Those of a split that overflowed are full.
              placement.equals("LOCAL") ? alternates : List.of()));
    }
    return splits;
  }

  private JsonNode post(String operation, String body) throws IOException, InterruptedException {
    String target = url + "/api/v1/hints/" + operation + "?user.name=" + URLEncoder.encode(user, StandardCharsets.UTF_8);
    HttpResponse<String> response;
    try {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(target)).timeout(ANSWER).POST(HttpRequest.BodyPublishers.ofString(body)).build();
      response =
          HttpClient.newBuilder().connectTimeout(CONNECT).build().send(request, HttpResponse.BodyHandlers.ofString());
    } catch (IllegalArgumentException e) {
      throw new IOException("no address of a hint service: " + url, e);
    } catch (IOException e) {
      throw new IOException("the hint service at " + url + " does not answer: " + e, e);
    }
    if (response.statusCode() != 200) {
      String words = response.body();
      throw new IOException("the hint service at " + url + " refuses: " + words.substring(0, Math.min(500, words.length())));
    }
    return JSON.readTree(response.body());
  }
}
