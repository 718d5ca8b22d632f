package alluxio.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.flink.connector.file.src.FileSourceSplit;
import org.apache.flink.connector.file.src.assigners.FileSplitAssigner;
import org.apache.flink.connector.file.src.assigners.LocalityAwareSplitAssigner;
import org.apache.flink.core.fs.Path;
import org.junit.jupiter.api.Test;

class AlluxioSplitAssignerTest {
  private static FileSourceSplit split(String id, String... hosts) {
    return new FileSourceSplit(id, new Path("/f"), 0, 1, 0, 1, hosts);
  }

  private static String next(FileSplitAssigner assigner, String host) {
    return assigner.getNext(host).map(FileSourceSplit::splitId).orElse("none");
  }

  @Test
  void splitsThatComeLaterOrBackGoToTheirHosts() {
    for (boolean ours : new boolean[] {true, false}) {
      FileSplitAssigner assigner = ours ? new AlluxioSplitAssigner(List.of()) : new LocalityAwareSplitAssigner(List.of());
      assertEquals("none", next(assigner, "w1"));
      assertEquals("none", next(assigner, "w2"));
      int local = 0;
      for (int i = 0; i < 50; i++) {
        List<FileSourceSplit> both = Arrays.asList(split("of w2", "w2"), split("of w1", "w1"));
        if (i % 2 == 0) Collections.reverse(both);
        assigner.addSplits(both);
        if (next(assigner, "w1").equals("of w1")) local++;
        next(assigner, "w2");
      }
      // The control: Flink's own gives them out as they come.
      if (ours) assertEquals(50, local);
      else assertTrue(local < 50, "Flink's assigner was mended: " + local);
    }
  }

  @Test
  void hostsAreToldApartByFullNamesWhereReadersHaveThem() {
    List<FileSourceSplit> splits =
        List.of(
            split("rack9", "worker.rack9.example"),
            split("rack1", "Worker.Rack1.example"),
            split("short", "w3"),
            split("ip", "10.1.2.3"));
    assertEquals("rack1", next(new AlluxioSplitAssigner(splits), "worker.rack1.EXAMPLE"));
    assertEquals("rack9", next(new AlluxioSplitAssigner(splits), "worker"));
    assertEquals("short", next(new AlluxioSplitAssigner(splits), "w3.rack1.example"));
    assertEquals("ip", next(new AlluxioSplitAssigner(splits), "10.1.2.3"));
    AlluxioSplitAssigner other = new AlluxioSplitAssigner(splits);
    next(other, "10.9.9.9");
    next(other, "10");
    next(other, null);
    assertEquals(0, other.localSplits());
    assertEquals(3, other.remoteSplits());
  }

  @Test
  void whatIsWantedLeastIsTakenOver() {
    AlluxioSplitAssigner assigner = new AlluxioSplitAssigner(List.of());
    for (String host : List.of("a", "b", "c")) next(assigner, host);
    assigner.addSplits(List.of(split("a1", "a"), split("b1", "b"), split("b2", "b"), split("nobody", "x"), split("cold")));
    for (String expected : List.of("nobody", "cold", "b1", "a1", "b2", "none")) assertEquals(expected, next(assigner, "c"));
  }

  /** What the next answer may be, by definition and without any index. */
  private static final class Model {
    final Map<String, Set<String>> waiting = new LinkedHashMap<>();
    final Set<String> readers = new HashSet<>();

    private long beside(String id) {
      return waiting.get(id).stream().filter(readers::contains).count();
    }

    private Set<String> least(Collection<String> ids) {
      long fewest = ids.stream().mapToLong(this::beside).min().orElse(0);
      return ids.stream().filter(id -> beside(id) == fewest).collect(Collectors.toSet());
    }

    Set<String> allowed(String reader) {
      if (reader != null) readers.add(reader);
      Set<String> local = keys(id -> waiting.get(id).contains(reader));
      if (!local.isEmpty()) return least(local);
      Set<String> unwanted = keys(id -> beside(id) == 0);
      if (!unwanted.isEmpty()) return unwanted;
      Map<String, List<String>> byReader = new TreeMap<>();
      for (String host : readers) byReader.put(host, new ArrayList<>(keys(id -> waiting.get(id).contains(host))));
      int most = byReader.values().stream().mapToInt(List::size).max().orElse(0);
      return byReader.values().stream()
          .filter(ids -> ids.size() == most)
          .flatMap(ids -> least(ids).stream())
          .collect(Collectors.toSet());
    }

    private Set<String> keys(Predicate<String> test) {
      return waiting.keySet().stream().filter(test).collect(Collectors.toSet());
    }
  }

  @Test
  void anyOrderOfSplitsAndReadersIsServedAsTheModelSays() {
    for (int seed = 0; seed < 400; seed++) {
      Random random = new Random(seed);
      int hosts = 1 + random.nextInt(6);
      Model model = new Model();
      Set<String> given = new HashSet<>();
      AlluxioSplitAssigner assigner = new AlluxioSplitAssigner(List.of());
      int made = 0;
      long local = 0;
      for (int step = 0; step < 120; step++) {
        if (random.nextInt(3) == 0) {
          List<FileSourceSplit> added = new ArrayList<>();
          for (int i = random.nextInt(8); i > 0; i--) {
            Set<String> on = new HashSet<>();
            for (int k = random.nextInt(4); k > 0; k--) on.add("h" + random.nextInt(hosts));
            String id = "s" + made++;
            added.add(split(id, on.toArray(new String[0])));
            model.waiting.put(id, on);
          }
          assigner.addSplits(added);
        } else {
          String reader = random.nextInt(20) == 0 ? null : "h" + random.nextInt(hosts);
          Set<String> allowed = model.allowed(reader);
          Optional<FileSourceSplit> got = assigner.getNext(reader);
          String context = "seed " + seed + ", step " + step + ", reader " + reader;
          assertEquals(allowed.isEmpty(), got.isEmpty(), context);
          if (got.isPresent()) {
            String id = got.get().splitId();
            assertTrue(allowed.contains(id), context + ": " + id + " is none of " + allowed);
            if (model.waiting.remove(id).contains(reader)) local++;
            assertTrue(given.add(id), context);
          }
        }
        Set<String> remaining =
            assigner.remainingSplits().stream().map(FileSourceSplit::splitId).collect(Collectors.toSet());
        assertEquals(model.waiting.keySet(), remaining);
      }
      assertEquals(local, assigner.localSplits());
      assertEquals(given.size() - local, assigner.remoteSplits());
      assertFalse(given.isEmpty());
    }
  }
}
