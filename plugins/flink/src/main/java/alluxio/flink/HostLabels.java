package alluxio.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which hosts may be told to Flink. It compares names up to their first dot only: of an address that would be its first number,
 * so that half of a data centre counts as one host, and two hosts that begin alike would be taken for each other. Such hosts are
 * left out; no locality is better than a wrong one.
 */
final class HostLabels {
  private static final String AMBIGUOUS = "";
  /** More hosts than a cluster has. */
  private static final int MAX_LABELS = 1 << 16;

  private final ConcurrentHashMap<String, String> nameOf = new ConcurrentHashMap<>();

  /** The hosts whose label names no other host seen so far, in their order. */
  String[] of(Iterable<String> hosts) {
    List<String> told = new ArrayList<>(3);
    for (String host : hosts) if (isUnique(host) && !told.contains(host)) told.add(host);
    return told.toArray(new String[0]);
  }

  private boolean isUnique(String host) {
    if (host.isEmpty() || isAddress(host) || host.equals("localhost") || host.startsWith("localhost.")) return false;
    int dot = host.indexOf('.');
    String label = dot < 0 ? host : host.substring(0, dot);
    if (nameOf.size() >= MAX_LABELS && !nameOf.containsKey(label)) return false;
    return nameOf.merge(label, host, (known, other) -> known.equals(other) ? known : AMBIGUOUS).equals(host);
  }

  /** IPv4 or IPv6. */
  private static boolean isAddress(String host) {
    if (host.indexOf(':') >= 0) return true;
    for (int i = 0; i < host.length(); i++) {
      char c = host.charAt(i);
      if (c != '.' && (c < '0' || c > '9')) return false;
    }
    return true;
  }
}
