package alluxio.yarn;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one container reads: splits of one host. */
final class SplitGroup {
  /** Linux takes 128 KiB for one variable. */
  private static final int MAX_INPUT_CHARS = 64 << 10;

  final List<Split> splits = new ArrayList<>();
  private int chars;
  private long bytes;

  /** At most so many groups for each host, of about as many bytes each; more where the names of the inputs are too long. */
  static List<SplitGroup> of(List<Split> splits, int perHost, int hosts) {
    Map<String, List<Split>> byHost = new LinkedHashMap<>();
    for (Split split : splits) byHost.computeIfAbsent(split.host, key -> new ArrayList<>()).add(split);
    List<SplitGroup> groups = new ArrayList<>();
    byHost.forEach((host, own) -> groups.addAll(cut(own, host.isEmpty() ? perHost * Math.max(1, hosts) : perHost)));
    return groups;
  }

  private static List<SplitGroup> cut(List<Split> splits, int parts) {
    long left = splits.stream().mapToLong(SplitGroup::weight).sum();
    List<SplitGroup> groups = new ArrayList<>();
    SplitGroup group = new SplitGroup();
    groups.add(group);
    for (int i = 0; i < splits.size(); i++) {
      Split split = splits.get(i);
      int partsLeft = Math.max(1, parts - groups.size() + 1);
      boolean isFull = partsLeft > 1 && group.bytes > 0 && (group.bytes + weight(split) / 2.0) * partsLeft > group.bytes + left;
      if (isFull || group.chars + split.toString().length() >= MAX_INPUT_CHARS) {
        group = new SplitGroup();
        groups.add(group);
      }
      group.add(split);
      left -= weight(split);
    }
    return groups;
  }

  /** What is unknown or empty counts as well. */
  private static long weight(Split split) {
    return Math.max(1, split.length);
  }

  private void add(Split split) {
    int last = splits.size() - 1;
    if (last >= 0 && splits.get(last).isFollowedBy(split)) {
      splits.set(last, splits.get(last).with(split));
    } else {
      splits.add(split);
      chars += split.toString().length() + 1;
    }
    bytes += weight(split);
  }

  /** Best first; empty: anywhere. All of them are as good for each of the splits. */
  List<String> hosts() {
    Split first = splits.get(0);
    if (first.host.isEmpty()) return List.of();
    List<String> others = new ArrayList<>(first.alternates);
    for (Split split : splits) others.retainAll(split.alternates);
    others.remove(first.host);
    others.add(0, first.host);
    return others;
  }

  /** Whether it pays to wait for the hosts. */
  boolean isLocal() {
    return splits.stream().anyMatch(split -> split.isLocal);
  }

  /** As the command is told in {@code ALLUXIO_INPUT}. */
  List<String> inputs() {
    List<String> inputs = new ArrayList<>(splits.size());
    for (Split split : splits) inputs.add(split.toString());
    return inputs;
  }
}
