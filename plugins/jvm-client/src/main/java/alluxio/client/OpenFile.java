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
  /** Parameters that let a request for bytes in. */
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

  static OpenFile ask(Gateway gateway, String path, long offset, String hostNames) throws IOException {
    Query query = Query.op("OPENFILE").with("offset", offset).with("blocks", BLOCKS_PER_CALL).with("host", hostNames);
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
    /** Tier file on this host; null: none. */
    final String path;
    final boolean trustSeal;
    /** Whether a worker on this host may come to hold it. */
    final boolean near;
    /** The tier file, while it is open here. */
    volatile TierFile local;
    /** The tier file turned out not to be there, not to be readable, or bad. */
    volatile boolean localFailed;
    /** It was not there: evicted, or renamed because its block was persisted. The gateway knows. */
    volatile boolean vanished;
    /** Bytes read through workers. Races cost a call. */
    long throughBytes;

    /** Whether what lets a request for bytes in may not do so any more. */
    boolean isOld() {
      return System.nanoTime() - askedNs > ACCESS_NS;
    }

    private Block(Map<String, Object> fields, long offset, OpenFile file) throws IOException {
      this.id = Json.number(fields, "id", 0);
      this.offset = offset;
      this.length = Json.number(fields, "length", 0);
      this.access = file.access;
      this.askedNs = file.askedNs;
      this.path = Json.string(fields, "path", null);
      this.trustSeal = Json.truth(fields, "trustSeal");
      this.near = Json.truth(fields, "near");
      for (Object index : Json.list(fields.get("at"))) {
        int i = ((Number) index).intValue();
        if (i >= 0 && i < file.workers.size()) sources.add(file.workers.get(i));
      }
      for (String worker : file.workers) if (!sources.contains(worker)) sources.add(worker);
    }
  }
}
