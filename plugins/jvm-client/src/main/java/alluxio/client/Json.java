package alluxio.client;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON (and writes its texts): objects as maps, arrays as lists, numbers as Long or Double. What comes is bounded by who reads the body; here the
 * depth is.
 */
final class Json {
  private static final int MAX_DEPTH = 32;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** @throws IOException when it is not JSON */
  static Object parse(String text) throws IOException {
    Json json = new Json(text);
    Object value = json.value(0);
    json.space();
    if (json.at != text.length()) throw json.bad("something after the end");
    return value;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Object value) throws IOException {
    if (value instanceof Map) return (Map<String, Object>) value;
    throw new IOException("the answer lacks an object");
  }

  @SuppressWarnings("unchecked")
  static List<Object> list(Object value) throws IOException {
    if (value instanceof List) return (List<Object>) value;
    throw new IOException("the answer lacks a list");
  }

  static String string(Map<String, Object> from, String field, String otherwise) {
    Object value = from.get(field);
    return value instanceof String ? (String) value : otherwise;
  }

  static long number(Map<String, Object> from, String field, long otherwise) {
    Object value = from.get(field);
    return value instanceof Number ? ((Number) value).longValue() : otherwise;
  }

  static boolean truth(Map<String, Object> from, String field) {
    return Boolean.TRUE.equals(from.get(field));
  }

  /** Writes a text as JSON. */
  static void quote(String text, StringBuilder into) {
    into.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') into.append('\\').append(c);
      else if (c < ' ') into.append(String.format("\\u%04x", (int) c));
      else into.append(c);
    }
    into.append('"');
  }

  private Object value(int depth) throws IOException {
    if (depth > MAX_DEPTH) throw bad("nested too deeply");
    space();
    char c = peek();
    switch (c) {
      case '{':
        return members(depth);
      case '[':
        return elements(depth);
      case '"':
        return quoted();
      case 't':
        return word("true", Boolean.TRUE);
      case 'f':
        return word("false", Boolean.FALSE);
      case 'n':
        return word("null", null);
      default:
        return numeral();
    }
  }

  private Map<String, Object> members(int depth) throws IOException {
    Map<String, Object> map = new HashMap<>();
    at++;
    space();
    if (peek() == '}') {
      at++;
      return map;
    }
    for (; ; ) {
      space();
      if (peek() != '"') throw bad("a name is missing");
      String name = quoted();
      space();
      if (peek() != ':') throw bad("':' is missing");
      at++;
      map.put(name, value(depth + 1));
      if (!more('}')) return map;
    }
  }

  private List<Object> elements(int depth) throws IOException {
    List<Object> list = new ArrayList<>();
    at++;
    space();
    if (peek() == ']') {
      at++;
      return list;
    }
    do {
      list.add(value(depth + 1));
    } while (more(']'));
    return list;
  }

  private boolean more(char end) throws IOException {
    space();
    char c = peek();
    at++;
    if (c == ',') return true;
    if (c == end) return false;
    throw bad("',' is missing");
  }

  private String quoted() throws IOException {
    int start = ++at;
    for (int i = start; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"') {
        at = i + 1;
        return text.substring(start, i);
      }
      if (c == '\\') return escaped(start, i);
    }
    throw bad("a string has no end");
  }

  private String escaped(int start, int first) throws IOException {
    StringBuilder into = new StringBuilder(text.length() - start < 256 ? 64 : 256);
    into.append(text, start, first);
    at = first;
    for (; ; ) {
      char c = peek();
      at++;
      if (c == '"') return into.toString();
      into.append(c == '\\' ? escape() : c);
    }
  }

  private char escape() throws IOException {
    char c = peek();
    at++;
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'u':
        try {
          char unit = (char) Integer.parseInt(text.substring(at, at + 4), 16);
          at += 4;
          return unit;
        } catch (IndexOutOfBoundsException | NumberFormatException e) {
          throw bad("a broken escape");
        }
      default:
        return c;
    }
  }

  private Object word(String word, Object value) throws IOException {
    if (!text.startsWith(word, at)) throw bad("no value");
    at += word.length();
    return value;
  }

  private Object numeral() throws IOException {
    int start = at;
    boolean whole = true;
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '.' || c == 'e' || c == 'E') whole = false;
      else if (c != '-' && c != '+' && (c < '0' || c > '9')) break;
      at++;
    }
    String digits = text.substring(start, at);
    try {
      if (whole) return Long.valueOf(digits);
      return Double.valueOf(digits);
    } catch (NumberFormatException e) {
      throw bad("no value");
    }
  }

  private char peek() throws IOException {
    if (at >= text.length()) throw bad("cut short");
    return text.charAt(at);
  }

  private void space() {
    while (at < text.length() && text.charAt(at) <= ' ') at++;
  }

  private IOException bad(String what) {
    return new IOException("the answer is no JSON: " + what + " at character " + at);
  }
}
