package alluxio.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * One kept-alive HTTP/1.1 connection, used by one thread at a time. The JDK's own clients cost more than twice as much a call:
 * docs/decisions/0006-jvm-metadata.md.
 */
final class HttpConnection {
  /** Also the longest head of an answer that is taken. */
  private static final int BUFFER_BYTES = 16 * 1024;
  /** Longest body that is read as text, such as a page of a listing. */
  private static final int MAX_TEXT_BYTES = 64 << 20;

  final String address;
  /** When it was last given back, {@code System.nanoTime}. */
  long idleSinceNs;
  /** Whether an answer came by it before: the server may have closed it since. */
  boolean used;

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;
  private final byte[] buffer = new byte[BUFFER_BYTES];
  private int start;
  private int end;

  private int status;
  private String location;
  private boolean keepAlive;
  /** Bytes left of the body or of its chunk. */
  private long left;
  private boolean chunked;
  private boolean bodyEnded;

  /** @throws ConnectException when nobody answers there: nothing was sent */
  HttpConnection(String address, int connectTimeoutMs, int readTimeoutMs) throws IOException {
    this.address = address;
    int colon = address.lastIndexOf(':');
    if (colon < 1) throw new IOException("no host:port: " + address);
    String host = address.substring(0, colon).replaceAll("^\\[|\\]$", "");
    socket = new Socket();
    try {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(readTimeoutMs);
      socket.connect(new InetSocketAddress(host, Integer.parseInt(address.substring(colon + 1))), connectTimeoutMs);
      in = socket.getInputStream();
      out = socket.getOutputStream();
    } catch (IOException | IllegalArgumentException e) {
      socket.close();
      throw (ConnectException) new ConnectException("connect to " + address + ": " + e.getMessage()).initCause(e);
    }
  }

  /** Sends a request without a body, or the head of one with. @param headers further lines, each ended by CR LF */
  void send(String method, String target, String headers) throws IOException {
    byte[] head =
        (method + ' ' + target + " HTTP/1.1\r\nHost: " + address + "\r\n" + headers + "\r\n")
            .getBytes(StandardCharsets.ISO_8859_1);
    out.write(head);
  }

  void write(byte[] bytes, int offset, int length) throws IOException {
    out.write(bytes, offset, length);
  }

  /** Reads the head of the answer. @return the status; 100 only if it was asked for */
  int receive(boolean continuing) throws IOException {
    do {
      readHead();
    } while (status == 100 && !continuing);
    used = true;
    return status;
  }

  int status() {
    return status;
  }

  String location() {
    return location;
  }

  /** Bytes that the body still has, -1 when only its end tells. */
  long left() {
    return chunked ? -1 : left;
  }

  /** Next bytes of the body; -1 at its end. @throws EOFException when it was cut short */
  int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) return 0;
    if (!beforeBytes()) return -1;
    int n = (int) Math.min(length, left);
    if (start < end) {
      n = Math.min(n, end - start);
      System.arraycopy(buffer, start, target, offset, n);
      start += n;
    } else {
      n = in.read(target, offset, n);
      if (n < 0) throw cut();
    }
    left -= n;
    return n;
  }

  /** As {@code read} of an array. */
  int read(ByteBuffer target) throws IOException {
    if (target.hasArray()) {
      int n = read(target.array(), target.arrayOffset() + target.position(), target.remaining());
      if (n > 0) target.position(target.position() + n);
      return n;
    }
    if (!target.hasRemaining()) return 0;
    if (!beforeBytes()) return -1;
    if (start == end) fill();
    int n = (int) Math.min(Math.min(left, end - start), target.remaining());
    target.put(buffer, start, n);
    start += n;
    left -= n;
    return n;
  }

  /** The whole body. @throws IOException when it is longer than 64 MiB */
  String text() throws IOException {
    byte[] bytes = new byte[chunked ? 4096 : (int) Math.min(left, MAX_TEXT_BYTES)];
    int length = 0;
    for (; ; ) {
      if (length == bytes.length) {
        if (!beforeBytes()) break;
        if (length >= MAX_TEXT_BYTES) throw new IOException("the answer of " + address + " is longer than 64 MiB");
        bytes = java.util.Arrays.copyOf(bytes, Math.max(4096, Math.min(MAX_TEXT_BYTES, 2 * length)));
      }
      int n = read(bytes, length, bytes.length - length);
      if (n < 0) break;
      length += n;
    }
    return new String(bytes, 0, length, StandardCharsets.UTF_8);
  }

  /** Whether the connection may carry another request: the answer was read to its end. */
  boolean reusable() throws IOException {
    return keepAlive && !beforeBytes();
  }

  void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // It is gone either way.
    }
  }

  /** Gets to the next byte of the body; false at its end. */
  private boolean beforeBytes() throws IOException {
    if (left > 0) return true;
    if (bodyEnded) return false;
    if (!chunked) {
      bodyEnded = true;
      return false;
    }
    String size = line();
    if (size.isEmpty()) size = line();
    try {
      int extension = size.indexOf(';');
      left = Long.parseLong((extension < 0 ? size : size.substring(0, extension)).trim(), 16);
    } catch (NumberFormatException e) {
      throw new IOException("a broken chunk came from " + address);
    }
    if (left < 0) throw new IOException("a broken chunk came from " + address);
    if (left > 0) return true;
    while (!line().isEmpty()) {
      // Trailers.
    }
    bodyEnded = true;
    return false;
  }

  private void readHead() throws IOException {
    String first = line();
    status = 0;
    location = null;
    keepAlive = true;
    chunked = false;
    bodyEnded = false;
    long length = -1;
    try {
      if (first.startsWith("HTTP/1.1 ")) status = Integer.parseInt(first.substring(9, 12));
    } catch (RuntimeException e) {
      status = 0;
    }
    if (status == 0) throw new IOException(address + " does not speak HTTP/1.1");
    int lines = 0;
    for (String line = line(); !line.isEmpty(); line = line()) {
      if (++lines > 100) throw new IOException("the head of the answer of " + address + " is too long");
      int colon = line.indexOf(':');
      if (colon < 0) continue;
      String value = line.substring(colon + 1).trim();
      if (is(line, colon, "content-length")) length = lengthOf(value);
      else if (is(line, colon, "transfer-encoding")) chunked = value.equalsIgnoreCase("chunked");
      else if (is(line, colon, "connection")) keepAlive = !value.equalsIgnoreCase("close");
      else if (is(line, colon, "location")) location = value;
    }
    left = chunked ? 0 : Math.max(0, length);
    boolean none = status < 200 || status == 204 || status == 304;
    if (none) left = 0;
    else if (!chunked && length < 0) throw new IOException(address + " does not tell the length of its answer");
  }

  private long lengthOf(String value) throws IOException {
    try {
      long length = Long.parseLong(value);
      if (length >= 0) return length;
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new IOException(address + " tells no length of its answer: " + value);
  }

  private static boolean is(String line, int length, String name) {
    return length == name.length() && line.regionMatches(true, 0, name, 0, length);
  }

  private String line() throws IOException {
    StringBuilder before = null;
    for (; ; ) {
      for (int i = start; i < end; i++) {
        if (buffer[i] != '\n') continue;
        int to = i > start && buffer[i - 1] == '\r' ? i - 1 : i;
        String line = new String(buffer, start, to - start, StandardCharsets.ISO_8859_1);
        start = i + 1;
        if (before == null) return line;
        line = before + line;
        return line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
      }
      if (before == null) before = new StringBuilder();
      before.append(new String(buffer, start, end - start, StandardCharsets.ISO_8859_1));
      if (before.length() > BUFFER_BYTES) throw new IOException("the head of the answer of " + address + " is too long");
      start = end;
      fill();
    }
  }

  private void fill() throws IOException {
    start = 0;
    end = 0;
    int n;
    try {
      n = in.read(buffer, 0, buffer.length);
    } catch (SocketTimeoutException e) {
      throw (IOException) new SocketTimeoutException(address + " does not answer").initCause(e);
    }
    if (n < 0) throw cut();
    end = n;
  }

  private EOFException cut() {
    return new EOFException(address + " ended the connection");
  }
}
