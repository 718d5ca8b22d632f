package alluxio.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class HostLabelsTest {
  private final HostLabels labels = new HostLabels();

  private void assertTold(List<String> hosts, String... told) {
    assertArrayEquals(told, labels.of(hosts));
  }

  @Test
  void addressesAreNeverTold() {
    assertTold(List.of("10.1.2.3", "fe80::1", "w1.example", "127.0.0.1", "localhost", "localhost.localdomain"), "w1.example");
  }

  @Test
  void namesThatFlinkCannotTellApartAreNotTold() {
    assertTold(List.of("worker.rack1.example", "w2.example", "w2.example"), "worker.rack1.example", "w2.example");
    assertTold(List.of("worker.rack9.example", "w2.example"), "w2.example");
    assertTold(List.of("worker.rack1.example"));
  }
}
