package alluxio.client;

import java.io.Closeable;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;

/** An open file. Reads at given positions may come from many threads at once. */
public final class FileReader implements Closeable {
  /** Tier files that one reader keeps mapped. */
  private static final int OPEN_BLOCKS = 64;
  /** A range from this size on is read by a stream that may go on to the end of its block. */
  private static final int STREAM_BYTES = 1 << 20;
  /** Bytes that are read and thrown away rather than asking anew. */
  private static final int SKIP_BYTES = 128 * 1024;

  private final AlluxioClient client;
  private final String path;
  private final FileStatus status;
  private final long length;
  private final long blockSize;
  private final OpenFile.Block[] blocks;
  private final ArrayDeque<OpenFile.Block> mapped = new ArrayDeque<>();
  private final ReentrantLock streaming = new ReentrantLock();
  /** An answer that is read bit by bit, and where in the file it stands and ends. */
  private HttpConnection stream;
  private long streamAt;
  private long streamEnd;
  private volatile long lastEnd = -1;
  private volatile boolean closed;

  FileReader(AlluxioClient client, String path, OpenFile file) throws IOException {
    this.client = client;
    this.path = path;
    this.status = file.status;
    this.length = status.length();
    this.blockSize = status.blockSize();
    if (length > 0 && blockSize <= 0) throw new IOException("the gateway does not tell the block size of " + path);
    this.blocks = new OpenFile.Block[length == 0 ? 0 : Math.toIntExact((length + blockSize - 1) / blockSize)];
    take(file);
  }

  public FileStatus status() {
    return status;
  }

  /** Bytes. */
  public long length() {
    return length;
  }

  /**
   * Reads at a position, as many bytes as there are up to {@code count}; -1 at the end of the file.
   *
   * @throws FileNotFoundException when the file is gone and its bytes with it
   */
  public int read(long position, byte[] target, int offset, int count) throws IOException {
    return read(position, ByteBuffer.wrap(target, offset, count));
  }

  /** As {@code read} of an array: fills what remains of the buffer. */
  public int read(long position, ByteBuffer target) throws IOException {
    if (closed) throw new IOException("Stream is closed!");
    if (position < 0) throw new java.io.EOFException("position " + position);
    int count = (int) Math.min(target.remaining(), length - position);
    if (count <= 0) return target.hasRemaining() ? -1 : 0;
    boolean sequential = position == lastEnd;
    for (long at = position; at < position + count; ) {
      int index = (int) (at / blockSize);
      OpenFile.Block block = blocks[index];
      if (block == null) block = find(index, false);
      int n = (int) Math.min(position + count - at, block.offset + block.length - at);
      boolean isRead = readLocal(block, at, target, n);
      if (!isRead && block.vanished) {
        block.vanished = false;
        block = find(index, true);
        isRead = readLocal(block, at, target, n);
        block.vanished = false;
      }
      if (!isRead) readRemote(block, index, at, target, n, sequential);
      at += n;
    }
    lastEnd = position + count;
    return count;
  }

  /** Gives up what reads have opened; later reads open it again. */
  public void unbuffer() {
    synchronized (mapped) {
      while (!mapped.isEmpty()) closeLocal(mapped.poll());
    }
    streaming.lock();
    try {
      endStream();
    } finally {
      streaming.unlock();
    }
  }

  @Override
  public void close() {
    closed = true;
    unbuffer();
  }

  private void take(OpenFile file) {
    for (int i = 0; i < file.blocks.size() && file.from + i < blocks.length; i++) {
      blocks[file.from + i] = file.blocks.get(i);
    }
  }

  /** Asks the gateway where a block is now, {@code certain} as of {@code OpenFile}. */
  private OpenFile.Block find(int index, boolean certain) throws IOException {
    OpenFile file = client.openFile(path, index * blockSize, certain);
    if (file.status.fileId() != status.fileId() || file.status.length() != length) {
      throw new FileNotFoundException(path + " was replaced by another file while it was read");
    }
    synchronized (blocks) {
      for (OpenFile.Block before : blocks) {
        if (before == null || before.offset / blockSize < file.from) continue;
        if (before.offset / blockSize >= file.from + file.blocks.size()) break;
        synchronized (mapped) {
          if (mapped.remove(before)) closeLocal(before);
        }
      }
      take(file);
    }
    OpenFile.Block found = blocks[index];
    if (found == null) throw new IOException("the gateway does not tell where block " + index + " of " + path + " is");
    return found;
  }

  /** False when the bytes are not to be had from a tier file of this host; nothing was taken then. */
  private boolean readLocal(OpenFile.Block block, long at, ByteBuffer target, int count) {
    TierFile file = block.local;
    if (file == null || !file.retain()) {
      if (block.paths == null || block.localFailed || !client.options.shortCircuit) return false;
      file = openLocal(block);
      if (file == null) return false;
    }
    int before = target.position();
    try {
      file.read(at - block.offset, target, count);
      client.tally.local.add(count);
      return true;
    } catch (IOException | InternalError e) {
      // InternalError is how a JVM tells of a mapped file that someone cut short.
      target.position(before);
      fail(block, file);
      return false;
    } finally {
      client.tierFiles.release(file);
    }
  }

  /** Retained for the caller, beside what the block itself holds. */
  private TierFile openLocal(OpenFile.Block block) {
    synchronized (mapped) {
      TierFile known = block.local;
      if (known != null && known.retain()) return known;
      try {
        TierFile file = openTierFile(block);
        if (closed || !file.retain()) {
          client.tierFiles.release(file);
          return null;
        }
        block.local = file;
        mapped.add(block);
        if (mapped.size() > OPEN_BLOCKS) closeLocal(mapped.poll());
        return file;
      } catch (IOException | SecurityException | InternalError e) {
        block.localFailed = true;
        block.vanished = e instanceof NoSuchFileException;
        client.tally.failures.increment();
        return null;
      }
    }
  }

  /** @throws NoSuchFileException when it is nowhere */
  private TierFile openTierFile(OpenFile.Block block) throws IOException {
    boolean trust = block.trustSeal && !client.options.verifyAlways;
    for (int i = 0; ; i++) {
      try {
        return client.tierFiles.open(block.paths.get(i), block.id, block.length, trust);
      } catch (NoSuchFileException e) {
        if (i + 1 == block.paths.size()) throw e;
      }
    }
  }

  private void fail(OpenFile.Block block, TierFile file) {
    block.localFailed = true;
    client.tally.failures.increment();
    client.tierFiles.forget(file);
    synchronized (mapped) {
      if (mapped.remove(block)) closeLocal(block);
    }
  }

  private void closeLocal(OpenFile.Block block) {
    TierFile file = block.local;
    block.local = null;
    if (file != null) client.tierFiles.release(file);
  }

  private void readRemote(
      OpenFile.Block block, int index, long at, ByteBuffer target, int count, boolean sequential) throws IOException {
    if (streaming.tryLock()) {
      try {
        boolean near = stream != null && at >= streamAt && at - streamAt <= SKIP_BYTES && at < streamEnd;
        if (near || sequential || count >= STREAM_BYTES) {
          readStream(block, index, at, target, count);
          return;
        }
      } finally {
        streaming.unlock();
      }
    }
    readRange(block, index, at, target, count);
  }

  private void readStream(OpenFile.Block block, int index, long at, ByteBuffer target, int count) throws IOException {
    int end = target.position() + count;
    if (stream != null && at >= streamAt && at - streamAt <= SKIP_BYTES && at < streamEnd) {
      try {
        skip(at - streamAt);
        fill(stream, target, (int) Math.min(count, streamEnd - at));
        streamAt = at + count - (end - target.position());
      } catch (IOException e) {
        client.tally.failures.increment();
        endStream();
      }
    } else endStream();
    while (target.position() < end) {
      long next = at + count - (end - target.position());
      endStream();
      Sources sources = new Sources(block, index);
      HttpConnection connection = sources.open(next, block.offset + block.length);
      stream = connection;
      streamAt = next;
      streamEnd = block.offset + block.length;
      try {
        fill(connection, target, end - target.position());
        streamAt = at + count;
      } catch (IOException e) {
        endStream();
        sources.failed(e);
      }
    }
    through(block, index, count);
    if (streamAt == streamEnd) endStream();
  }

  /** One request for exactly these bytes. */
  private void readRange(OpenFile.Block block, int index, long at, ByteBuffer target, int count) throws IOException {
    int end = target.position() + count;
    Sources sources = new Sources(block, index);
    while (target.position() < end) {
      HttpConnection connection = sources.open(at + count - (end - target.position()), at + count);
      boolean whole = false;
      try {
        fill(connection, target, end - target.position());
        whole = true;
      } catch (IOException e) {
        sources.failed(e);
      } finally {
        if (whole) client.pool.give(connection);
        else connection.close();
      }
    }
    through(block, index, count);
  }

  /** Bytes up to {@code count}; what came before a failure stays in the buffer. */
  private void fill(HttpConnection connection, ByteBuffer target, int count) throws IOException {
    int limit = target.limit();
    int end = target.position() + count;
    target.limit(end);
    try {
      while (target.position() < end) {
        int n = connection.read(target);
        if (n < 0) throw new java.io.EOFException("the answer of " + connection.address + " is cut short");
        client.tally.remote.add(n);
      }
    } finally {
      target.limit(limit);
    }
  }

  private void skip(long count) throws IOException {
    byte[] waste = new byte[(int) Math.min(count, 16 * 1024)];
    for (long left = count; left > 0; ) {
      int n = stream.read(waste, 0, (int) Math.min(left, waste.length));
      if (n < 0) throw new java.io.EOFException("the answer is cut short");
      left -= n;
    }
  }

  private void endStream() {
    if (stream == null) return;
    if (streamAt == streamEnd) client.pool.give(stream);
    else stream.close();
    stream = null;
  }

  /** A block that was read as a whole may have been sealed on this host meanwhile: the next read asks. */
  private void through(OpenFile.Block block, int index, int count) {
    block.throughBytes += count;
    if (block.cold) client.tally.store.add(count);
    if (block.near && client.options.shortCircuit && block.throughBytes >= block.length) {
      synchronized (blocks) {
        if (blocks[index] == block) blocks[index] = null;
      }
    }
  }

  /** The sources of a block's bytes one after the other; when all have failed, the gateway is asked again where they are. */
  private final class Sources {
    private OpenFile.Block block;
    private final int index;
    private final long deadline = System.nanoTime() + client.options.retryMs * 1_000_000;
    private int next;
    private long pauseMs = 50;
    private IOException last;

    Sources(OpenFile.Block block, int index) {
      this.block = block;
      this.index = index;
    }

    /** An answer whose head was good. @throws the last failure once none is left and time is over */
    HttpConnection open(long from, long to) throws IOException {
      if (next == 0 && block.isOld()) block = find(index, true);
      for (; ; ) {
        while (next < block.sources.size()) {
          String source = block.sources.get(next);
          if (client.pool.isShunned(source) && !isLastHope()) {
            next++;
            continue;
          }
          try {
            return client.readRange(source, path, status.fileId(), block.access, from, to);
          } catch (IOException e) {
            failed(e);
          }
        }
        if (last != null && System.nanoTime() > deadline) throw last;
        if (last != null) {
          Gateway.pause(pauseMs);
          pauseMs = Math.min(2_000, 2 * pauseMs);
        }
        block = find(index, true);
        next = 0;
        if (block.sources.isEmpty()) failed(new IOException("no worker is there to read " + path));
      }
    }

    /** Whether nobody else is left who could be asked now. */
    private boolean isLastHope() {
      for (String source : block.sources) if (!client.pool.isShunned(source)) return false;
      return true;
    }

    void failed(IOException e) {
      client.tally.failures.increment();
      last = e;
      next++;
    }
  }
}
