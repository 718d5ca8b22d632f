package alluxio.client;

import java.util.concurrent.atomic.LongAdder;

/** Where the bytes that a client read came from. */
public final class ReadTally {
  final LongAdder local = new LongAdder();
  final LongAdder remote = new LongAdder();
  final LongAdder store = new LongAdder();
  final LongAdder requests = new LongAdder();
  final LongAdder failures = new LongAdder();

  ReadTally() {}

  /** Bytes from tier files of this host, with no daemon on the path. */
  public long localBytes() {
    return local.sum();
  }

  /** Bytes that workers or the proxy sent. */
  public long remoteBytes() {
    return remote.sum();
  }

  /** Of the remote ones those of blocks that nobody cached when they were asked for: workers took them from the under-store. */
  public long storeBytes() {
    return store.sum();
  }

  /** HTTP requests for bytes. */
  public long dataRequests() {
    return requests.sum();
  }

  /** Sources that failed and were replaced by another: damaged or vanished tier files, dead workers. */
  public long failedSources() {
    return failures.sum();
  }

  @Override
  public String toString() {
    return "{\"localBytes\":" + localBytes() + ",\"remoteBytes\":" + remoteBytes() + ",\"dataRequests\":" + dataRequests()
        + ",\"failedSources\":" + failedSources() + "}";
  }
}
