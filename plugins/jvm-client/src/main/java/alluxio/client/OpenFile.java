package alluxio.client;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What one call of the gateway tells of a file: its metadata, and for a run of blocks where their bytes are. */
final class OpenFile {
  /** Blocks of one call; more are asked for when a read comes to them. */
  static final int BLOCKS_PER_CALL = 16;
  /** Below the minute for which access is given. */
  private static final long ACCESS_NS = 50_000_000_000L;

  final FileStatus status;
  final int from;
  final List<Block> blocks = new ArrayList<>();
  /** Addresses that serve any byte of the file; those to ask first for a block stand in the block. */
  final List<String> workers = new ArrayList<>();
  /** Parameters that let a request for bytes in; empty where all tier files should be here. */
  final String access;

  /** When it was asked, {@code System.nanoTime}. */
  final long askedNs = System.nanoTime();

  private OpenFile(FileStatus status, Map<String, Object> answer, String proxy) throws IOException {
    this.status = status;
    this.from = (int) Json.number(answer, "from", 0);
    this.access = Json.string(answer, "access", "");
    for (Object worker : Json.list(answer.get("workers"))) {
      Map<String, Object> fields = Json.object(worker);
      String host = Json.string(fields, "host", "");
      workers.add((host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + Json.number(fields, "webPort", 0));
    }
    // It serves any byte as well, but is mostly not where they are.
    workers.add(proxy);
    long offset = from * status.blockSize();
    for (Object block : Json.list(answer.get("blocks"))) {
      Block next = new Block(Json.object(block), offset, this);
      blocks.add(next);
      offset += next.length;
    }
  }

  /** @param certain workers are asked for the tier file of this one block: what was concluded was not there, or more is needed */
  static OpenFile ask(Gateway gateway, String path, long offset, boolean certain, String hostNames)
      throws IOException {
    Query query =
        Query.op("OPENFILE")
            .with("offset", offset)
            .with("blocks", certain ? 1 : BLOCKS_PER_CALL)
            .with("certain", certain ? "true" : null)
            .with("host", hostNames);
    Map<String, Object> answer = Json.object(Json.object(gateway.call("GET", path, query, true)).get("OpenFile"));
    return new OpenFile(FileStatus.of(path, Json.object(answer.get("FileStatus"))), answer, gateway.address());
  }

  /** A block with its places as they were when the gateway was asked. */
  static final class Block {
    final long id;
    final long offset;
    final long length;
    /** Addresses in the order in which they are to be asked; the holders come first. */
    final List<String> sources = new ArrayList<>();
    final String access;
    private final long askedNs;
    /** Where its tier file may be on this host, the likeliest path first; null: nowhere. */
    final List<String> paths;
    final boolean trustSeal;
    /** Whether a worker on this host may come to hold it. */
    final boolean near;
    /** Whether nobody cached it. */
    final boolean cold;
    /** The tier file, while it is open here. */
    volatile TierFile local;
    /** The tier file turned out not to be there, not to be readable, or bad. */
    volatile boolean localFailed;
    /** It was not there: evicted, or moved to another folder. The gateway knows. */
    volatile boolean vanished;
    /** Bytes read through workers. Races cost a call. */
    long throughBytes;

    /** Whether what lets a request for bytes in is not there, or may not do so any more. */
    boolean isOld() {
      return access.isEmpty() || System.nanoTime() - askedNs > ACCESS_NS;
    }

    private Block(Map<String, Object> fields, long offset, OpenFile file) throws IOException {
      this.id = Json.number(fields, "id", 0);
      this.offset = offset;
      this.length = Json.number(fields, "length", 0);
      this.access = file.access;
      this.askedNs = file.askedNs;
      this.paths = fields.containsKey("paths") ? strings(fields.get("paths")) : null;
      this.trustSeal = Json.truth(fields, "trustSeal");
      this.near = Json.truth(fields, "near");
      this.cold = Json.truth(fields, "cold");
      for (Object index : Json.list(fields.get("at"))) {
        int i = ((Number) index).intValue();
        if (i >= 0 && i < file.workers.size()) sources.add(file.workers.get(i));
      }
      for (String worker : file.workers) if (!sources.contains(worker)) sources.add(worker);
    }

    private static List<String> strings(Object list) throws IOException {
      List<String> strings = new ArrayList<>();
      for (Object each : Json.list(list)) strings.add((String) each);
      return strings;
    }
  }
}
