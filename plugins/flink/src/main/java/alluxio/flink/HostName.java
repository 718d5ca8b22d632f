package alluxio.flink;

import java.util.Locale;

/** What names of hosts say about being the same host. Flink itself compares what stands before the first dot, also of addresses. */
final class HostName {
  private HostName() {}

  /** In the form in which names are compared. */
  static String of(String host) {
    return host.toLowerCase(Locale.ROOT);
  }

  /** What Flink compares: the first label. */
  static String label(String name) {
    int dot = name.indexOf('.');
    return dot < 0 ? name : name.substring(0, dot);
  }

  /** Whether it names its domain, so that it stands for one host only. */
  static boolean isFull(String name) {
    return name.indexOf('.') >= 0;
  }

  /** IPv4 or IPv6. */
  static boolean isAddress(String name) {
    if (name.indexOf(':') >= 0) return true;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (c != '.' && (c < '0' || c > '9')) return false;
    }
    return true;
  }
}
