package alluxio.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which hosts may be told to Flink. It compares names up to their first dot only: of an address that would be its first number,
 * so that half of a data centre counts as one host, and two hosts that begin alike would be taken for each other. Such hosts are
 * left out; no locality is better than a wrong one. The adapter {@code flink} of the hint service has the same rule, and both are
 * tested by the cases of {@code src/test/resources/hosts.txt}.
 */
final class HostLabels {
  private static final String AMBIGUOUS = "";
  /** More hosts than a cluster has. */
  private static final int MAX_LABELS = 1 << 16;

  private final ConcurrentHashMap<String, String> nameOf = new ConcurrentHashMap<>();

  /** Hosts that are about to be told, so that one is known to be ambiguous before the other is told. */
  void note(Iterable<String> hosts) {
    for (String host : hosts) {
      String name = HostName.of(host);
      if (!isName(name)) continue;
      String label = HostName.label(name);
      if (nameOf.size() >= MAX_LABELS && !nameOf.containsKey(label)) continue;
      nameOf.merge(label, name, (known, other) -> known.equals(other) ? known : AMBIGUOUS);
    }
  }

  /** Those of the hosts that were noted whose label names no other host that was noted so far, in their order. */
  String[] of(Iterable<String> hosts) {
    List<String> told = new ArrayList<>(3);
    for (String host : hosts) if (isUnique(HostName.of(host)) && !told.contains(host)) told.add(host);
    return told.toArray(new String[0]);
  }

  private boolean isUnique(String name) {
    return isName(name) && name.equals(nameOf.get(HostName.label(name)));
  }

  private static boolean isName(String name) {
    return !name.isEmpty() && !HostName.isAddress(name) && !HostName.label(name).equals("localhost");
  }
}
