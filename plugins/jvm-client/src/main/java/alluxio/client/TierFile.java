package alluxio.client;

import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;

/**
 * The file of a sealed block, mapped, or read as a whole if it is small. It stays readable when the worker drops the block: the pages go when the last reader has
 * closed, by hand, because a JVM with little garbage would hold them for hours.
 *
 * <p>Which bytes are verified follows docs/decisions/0002-seal-trust.md; where they stand, src/arrow/layout.ts.
 */
final class TierFile {
  /** A map of Java holds at most 2 GiB; blocks have up to 4. */
  private static final int SEGMENT_SHIFT = 30;

  private static final int SEGMENT_BYTES = 1 << SEGMENT_SHIFT;

  /** Files up to this size are read: a map, its page faults and its end cost more. Holds a block of 64 KiB. */
  private static final int WHOLE_BYTES = 72 * 1024;

  private static final long UNKNOWN = Long.MIN_VALUE;

  final String path;
  private final long modifiedUs;
  private final int pageBytes;
  private final long bodyOffset;
  private final ByteBuffer[] segments;
  /** Checksums of the pages; null when the seal is believed. */
  private final ByteBuffer checksums;
  /** Bits of pages that were found good. Races cost a page verified twice. */
  private final long[] good;
  /** Readers that hold it open and reads under way; at 0 it is unmapped for good. */
  private final AtomicInteger users = new AtomicInteger(1);

  private TierFile(
      String path, BlockFrame frame, long modifiedUs, ByteBuffer[] segments, ByteBuffer checksums) {
    this.path = path;
    this.modifiedUs = modifiedUs;
    this.pageBytes = frame.pageBytes;
    this.bodyOffset = frame.bodyOffset;
    this.segments = segments;
    this.checksums = checksums;
    this.good = checksums == null ? null : new long[(int) ((frame.rows + 63) / 64)];
  }

  /**
   * @param trustSeal whether an unbroken seal is believed: what the worker says of the tier
   * @throws IOException when the file is not there or not to be read, or is not the whole block that it has to be
   */
  static TierFile open(String path, long blockId, long length, boolean trustSeal) throws IOException {
    Path file = Paths.get(path);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer whole = size > WHOLE_BYTES ? null : ByteBuffer.allocate((int) size);
      if (whole != null) BlockFrame.readFully(channel, whole, 0, path);
      BlockFrame frame = whole == null ? BlockFrame.read(channel, path) : BlockFrame.of(whole, path);
      if (frame.blockId != blockId || frame.length != length) {
        throw new IOException(path + " holds another block");
      }
      long modifiedUs = modifiedUs(file);
      ByteBuffer checksums = null;
      if (!(trustSeal && frame.isSealed(modifiedUs))) {
        checksums = ByteBuffer.allocate(Math.toIntExact(frame.rows * 4)).order(ByteOrder.LITTLE_ENDIAN);
        BlockFrame.readFully(channel, checksums, frame.crcOffset, path);
      }
      ByteBuffer[] segments = whole == null ? map(channel, frame) : new ByteBuffer[] {whole};
      return new TierFile(path, frame, modifiedUs, segments, checksums);
    }
  }

  private static MappedByteBuffer[] map(FileChannel channel, BlockFrame frame) throws IOException {
    long end = frame.crcOffset;
    MappedByteBuffer[] segments = new MappedByteBuffer[(int) ((end + SEGMENT_BYTES - 1) >>> SEGMENT_SHIFT)];
    for (int i = 0; i < segments.length; i++) {
      long from = (long) i << SEGMENT_SHIFT;
      segments[i] = channel.map(FileChannel.MapMode.READ_ONLY, from, Math.min(SEGMENT_BYTES, end - from));
    }
    return segments;
  }

  /** Whether it may be used: false once the last user has gone. Each true needs one {@code release}. */
  boolean retain() {
    for (int n = users.get(); n > 0; n = users.get()) if (users.compareAndSet(n, n + 1)) return true;
    return false;
  }

  /** Whether the caller was the last one: then nobody can read it any more. */
  boolean release() {
    if (users.decrementAndGet() > 0) return false;
    for (ByteBuffer segment : segments) Unmapping.unmap(segment);
    return true;
  }

  /** Whether nobody wrote to the file since it was opened, so that what was verified stands. */
  boolean isUnchanged() {
    return modifiedUs != UNKNOWN && modifiedUs(Paths.get(path)) == modifiedUs;
  }

  /** UNKNOWN when the file left its path meanwhile: Java asks by path alone. */
  private static long modifiedUs(Path file) {
    try {
      return Files.getLastModifiedTime(file).to(TimeUnit.MICROSECONDS);
    } catch (IOException e) {
      return UNKNOWN;
    }
  }

  /** Copies {@code count} bytes from {@code position} in the block, all of which must lie within. @throws IOException at a bad page */
  void read(long position, ByteBuffer target, int count) throws IOException {
    if (checksums != null) verify(position, count);
    long at = bodyOffset + position;
    for (int done = 0; done < count; ) {
      ByteBuffer view = view(at + done);
      int n = Math.min(count - done, view.remaining());
      view.limit(view.position() + n);
      target.put(view);
      done += n;
    }
  }

  private ByteBuffer view(long at) {
    ByteBuffer view = segments[(int) (at >>> SEGMENT_SHIFT)].duplicate();
    view.position((int) at & (SEGMENT_BYTES - 1));
    return view;
  }

  private void verify(long position, int count) throws IOException {
    if (count == 0) return;
    int last = (int) ((position + count - 1) / pageBytes);
    for (int row = (int) (position / pageBytes); row <= last; row++) {
      if ((good[row >>> 6] >>> row & 1) != 0) continue;
      ByteBuffer page = view(bodyOffset + (long) row * pageBytes);
      page.limit(page.position() + pageBytes);
      CRC32C crc = new CRC32C();
      crc.update(page);
      if ((int) crc.getValue() != checksums.getInt(4 * row)) {
        throw new IOException(path + ": page " + row + " has another checksum");
      }
      good[row >>> 6] |= 1L << row;
    }
  }

  /** Gives maps back at once where the JDK lets us, else leaves them to the garbage collector. */
  private static final class Unmapping {
    private static final MethodHandle CLEANER = find();

    private static MethodHandle find() {
      try {
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        Field field = unsafe.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        return MethodHandles.lookup()
            .findVirtual(unsafe, "invokeCleaner", MethodType.methodType(void.class, ByteBuffer.class))
            .bindTo(field.get(null));
      } catch (ReflectiveOperationException | RuntimeException e) {
        return null;
      }
    }

    static void unmap(ByteBuffer segment) {
      if (CLEANER == null || !segment.isDirect()) return;
      try {
        CLEANER.invoke(segment);
      } catch (Throwable e) {
        // Then the garbage collector does it.
      }
    }
  }
}
