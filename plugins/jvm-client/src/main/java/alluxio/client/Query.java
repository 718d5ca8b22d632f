package alluxio.client;

import java.nio.charset.StandardCharsets;

/** Parameters of a WebHDFS call, percent-encoded; null values are left out. */
public final class Query {
  private static final String PLAIN = "-._~*,:/";
  private static final char[] HEX = "0123456789ABCDEF".toCharArray();

  private final StringBuilder text = new StringBuilder();

  private Query() {}

  public static Query op(String op) {
    Query query = new Query();
    query.text.append("op=").append(op);
    return query;
  }

  public Query with(String name, Object value) {
    if (value == null) return this;
    text.append('&').append(name).append('=');
    encode(value.toString(), text);
    return this;
  }

  /** What is encoded already. */
  Query raw(String encoded) {
    if (!encoded.isEmpty()) text.append('&').append(encoded);
    return this;
  }

  @Override
  public String toString() {
    return text.toString();
  }

  static void encode(String value, StringBuilder into) {
    byte[] bytes = null;
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (isPlain(c)) continue;
      bytes = value.getBytes(StandardCharsets.UTF_8);
      break;
    }
    if (bytes == null) {
      into.append(value);
      return;
    }
    for (byte b : bytes) {
      if (b > 0 && isPlain((char) b)) into.append((char) b);
      else into.append('%').append(HEX[(b >> 4) & 15]).append(HEX[b & 15]);
    }
  }

  private static boolean isPlain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || PLAIN.indexOf(c) >= 0;
  }
}
