package alluxio.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SplitGroupTest {
  private static Split split(String path, long block, String host, String... alternates) {
    return new Split(path, block * 10, 10, host, true, List.of(alternates));
  }

  @Test
  void aContainerGetsWhatFollowsEachOtherAsOneRange() {
    List<Split> splits =
        List.of(split("/a", 0, "h1"), split("/a", 1, "h1"), split("/a", 2, "h2"), split("/b", 0, "h1"));
    List<SplitGroup> groups = SplitGroup.of(splits, 1, 2);
    assertEquals(2, groups.size());
    assertEquals(List.of("/a:0:20", "/b:0:10"), groups.get(0).inputs());
    assertEquals(List.of("/a:20:10"), groups.get(1).inputs());
  }

  @Test
  void hostsAreThoseThatHoldAllOfIt() {
    List<Split> splits = List.of(split("/a", 0, "h1", "h2", "h3"), split("/b", 0, "h1", "h3", "h4"));
    assertEquals(List.of("h1", "h3"), SplitGroup.of(splits, 1, 4).get(0).hosts());
    SplitGroup anywhere = SplitGroup.of(List.of(Split.whole("/a")), 1, 4).get(0);
    assertEquals(List.of(), anywhere.hosts());
    assertEquals(List.of("/a"), anywhere.inputs());
    assertEquals(3, SplitGroup.of(List.of(Split.whole("/a"), Split.whole("/b"), Split.whole("/c")), 1, 4).size());
  }

  @Test
  void pathsAreWordsThatNoShellMinds() {
    assertEquals("/a%20b/%24%28x%29%22%27%60%5C%0A%C5%BE%3A:0:10", split("/a b/$(x)\"'`\\\nž:", 0, "h").toString());
  }

  @Test
  void eachByteIsInOneGroupAndGroupsAreAboutAsLarge() {
    for (int seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      int perHost = 1 + random.nextInt(5);
      int hosts = 1 + random.nextInt(4);
      List<Split> splits = new ArrayList<>();
      for (int i = random.nextInt(60) + 1; i > 0; i--)
        splits.add(split("/f" + i, random.nextInt(3), "h" + random.nextInt(hosts)));
      List<SplitGroup> groups = SplitGroup.of(splits, perHost, hosts);
      List<String> told = new ArrayList<>();
      TreeMap<String, List<Integer>> sizes = new TreeMap<>();
      for (SplitGroup group : groups) {
        told.addAll(group.inputs());
        sizes.computeIfAbsent(group.hosts().get(0), key -> new ArrayList<>()).add(group.splits.size());
      }
      Collections.sort(told);
      assertEquals(splits.stream().map(Split::toString).sorted().collect(Collectors.toList()), told);
      for (List<Integer> own : sizes.values()) {
        int all = own.stream().mapToInt(Integer::intValue).sum();
        assertEquals(Math.min(perHost, all), own.size(), "seed " + seed + ": " + own);
        for (int size : own) assertTrue(size <= all / own.size() + 1, "seed " + seed + ": " + own);
      }
    }
  }

  @Test
  void moreGroupsWhereTheNamesAreTooLongForOneVariable() {
    List<Split> splits = new ArrayList<>();
    for (int i = 0; i < 2000; i++) splits.add(split("/folder/" + "x".repeat(90) + i, 0, "h"));
    List<SplitGroup> groups = SplitGroup.of(splits, 1, 1);
    assertTrue(groups.size() > 2, groups.size() + " groups");
    for (SplitGroup group : groups) assertTrue(String.join(" ", group.inputs()).length() < 65_536);
  }

  @Test
  void optionsAndTheScriptOfTheContainers() {
    String[] words = {"--input", "/a", "--", "grep", "it's $HOME", "f"};
    assertEquals("exec 'grep' 'it'\\''s $HOME' 'f'\n", JobOptions.parse(words).script());
    String[] line = {"--input", "/a", "--", "cat $ALLUXIO_INPUT | wc"};
    assertEquals("cat $ALLUXIO_INPUT | wc\n", JobOptions.parse(line).script());
    List<String> bad =
        List.of("--input /a", "-- true", "--inputs /a -- true", "--input /a --memory -1 -- true", "--input /a -D x -- true", "--input");
    for (String wrong : bad) {
      try {
        JobOptions.parse(wrong.split(" "));
      } catch (IllegalArgumentException e) {
        continue;
      }
      throw new AssertionError("taken: " + wrong);
    }
  }
}
