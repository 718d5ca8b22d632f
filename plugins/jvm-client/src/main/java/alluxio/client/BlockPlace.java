package alluxio.client;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Where a piece of a file is cached. */
public final class BlockPlace {
  private final long offset;
  private final long length;
  private final List<String> hosts = new ArrayList<>();
  private final List<String> names = new ArrayList<>();

  private BlockPlace(Map<String, Object> fields) throws IOException {
    offset = Json.number(fields, "offset", 0);
    length = Json.number(fields, "length", 0);
    if (fields.get("hosts") != null) for (Object host : Json.list(fields.get("hosts"))) hosts.add((String) host);
    if (fields.get("names") != null) for (Object name : Json.list(fields.get("names"))) names.add((String) name);
  }

  BlockPlace(long offset, long length, List<Object> hosts) {
    this.offset = offset;
    this.length = length;
    for (Object host : hosts) this.hosts.add((String) host);
    names.addAll(this.hosts);
  }

  static List<BlockPlace> listOf(Object list) throws IOException {
    List<BlockPlace> places = new ArrayList<>();
    for (Object fields : Json.list(list)) places.add(new BlockPlace(Json.object(fields)));
    return places;
  }

  /** Bytes from the begin of the file. */
  public long offset() {
    return offset;
  }

  /** Bytes. */
  public long length() {
    return length;
  }

  /** Best first; empty where nobody caches it. */
  public List<String> hosts() {
    return hosts;
  }

  /** {@code host:port} for each host; the host alone where the hint service named it. */
  public List<String> names() {
    return names;
  }
}
