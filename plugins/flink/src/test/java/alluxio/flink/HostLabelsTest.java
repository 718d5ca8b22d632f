package alluxio.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class HostLabelsTest {
  @Test
  void addressesAndNamesThatFlinkCannotTellApartAreNotTold() throws IOException {
    List<String> cases;
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(HostLabelsTest.class.getResourceAsStream("/hosts.txt"), StandardCharsets.UTF_8))) {
      cases = lines.lines().filter(line -> !line.startsWith("#")).collect(Collectors.toList());
    }
    assertEquals(10, cases.size());
    for (String line : cases) {
      String[] sides = line.split(" -> ");
      List<String> hosts = Arrays.asList(sides[0].split(" "));
      for (int turn = 0; turn < 2; turn++, Collections.reverse(hosts)) {
        HostLabels labels = new HostLabels();
        labels.note(hosts);
        String[] told = labels.of(hosts);
        if (turn == 1) Collections.reverse(Arrays.asList(told));
        assertArrayEquals(sides[1].split(" "), told, line);
      }
    }
  }

  @Test
  void aNameThatBecomesAmbiguousIsNoLongerTold() {
    HostLabels labels = new HostLabels();
    labels.note(List.of("worker.rack1", "w2", "w2"));
    assertArrayEquals(new String[] {"worker.rack1", "w2"}, labels.of(List.of("worker.rack1", "w2", "w2")));
    labels.note(List.of("worker.rack9"));
    assertArrayEquals(new String[] {"w2"}, labels.of(List.of("worker.rack9", "worker.rack1", "w2")));
  }
}
