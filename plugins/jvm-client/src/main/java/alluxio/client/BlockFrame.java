package alluxio.client;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.zip.CRC32C;

/** What the tail of a block file says, and where everything stands in it: src/arrow/layout.ts and frame.ts in Java. */
final class BlockFrame {
  static final int TAIL_BYTES = 674;
  private static final int PAGE_BYTES = 4096;
  private static final int SMALL_BLOCK_BYTES = 64 * 1024;
  private static final int SMALL_BODY_OFFSET = 256;
  private static final int NARROWEST_PAGE = 64;
  private static final long MAX_BLOCK_BYTES = (1L << 32) - PAGE_BYTES;
  private static final long FORMAT = 1;
  /** Where the values stand in the tail, 16 hex digits each. */
  private static final int BLOCK_AT = 500;
  private static final int LENGTH_AT = 380;
  private static final int FORMAT_AT = 324;
  private static final int SEALED_AT = 268;
  private static final int BOOT_AT = 212;
  private static final int CHECK_AT = 156;
  private static final int VALUE_BYTES = 16;
  /** Seal times are whole steps of 1/512 s. */
  private static final long TICK_NS = 1_953_125;
  private static final String BOOT = bootTag();

  final long blockId;
  final long length;
  final int pageBytes;
  final long rows;
  final long bodyOffset;
  final long crcOffset;
  private final long sealedTicks;
  private final String boot;

  private BlockFrame(byte[] tail) {
    blockId = value(tail, BLOCK_AT);
    length = value(tail, LENGTH_AT);
    sealedTicks = value(tail, SEALED_AT);
    boot = new String(tail, BOOT_AT, VALUE_BYTES, StandardCharsets.ISO_8859_1);
    pageBytes =
        length >= PAGE_BYTES
            ? PAGE_BYTES
            : Math.max(NARROWEST_PAGE, Integer.highestOneBit(Math.max(1, (int) length - 1)) << 1);
    rows = (length + pageBytes - 1) / pageBytes;
    bodyOffset = length < SMALL_BLOCK_BYTES ? SMALL_BODY_OFFSET : PAGE_BYTES;
    crcOffset = bodyOffset + rows * pageBytes;
  }

  /** @throws IOException when the file is no whole block file */
  static BlockFrame read(FileChannel channel, String path) throws IOException {
    long size = channel.size();
    byte[] tail = new byte[TAIL_BYTES];
    if (size <= TAIL_BYTES) throw new IOException(path + " is no block file");
    readFully(channel, ByteBuffer.wrap(tail), size - TAIL_BYTES, path);
    return of(tail, size, path);
  }

  /** As {@code read}, of a file that was read as a whole. */
  static BlockFrame of(ByteBuffer file, String path) throws IOException {
    int size = file.limit();
    if (size <= TAIL_BYTES) throw new IOException(path + " is no block file");
    return of(java.util.Arrays.copyOfRange(file.array(), size - TAIL_BYTES, size), size, path);
  }

  private static BlockFrame of(byte[] tail, long size, String path) throws IOException {
    long check = value(tail, CHECK_AT);
    byte[] checked = tail.clone();
    java.util.Arrays.fill(checked, CHECK_AT, CHECK_AT + VALUE_BYTES, (byte) '0');
    CRC32C crc = new CRC32C();
    crc.update(checked);
    if (crc.getValue() != check || value(tail, FORMAT_AT) != FORMAT) {
      throw new IOException(path + " has no valid footer");
    }
    BlockFrame frame = new BlockFrame(tail);
    boolean possible = frame.length > 0 && frame.length <= MAX_BLOCK_BYTES;
    if (!possible || frame.crcOffset + (frame.rows * 4 + 7) / 8 * 8 + TAIL_BYTES != size) {
      throw new IOException(path + " is cut short");
    }
    return frame;
  }

  static void readFully(FileChannel channel, ByteBuffer target, long position, String path) throws IOException {
    long at = position;
    while (target.hasRemaining()) {
      int n = channel.read(target, at);
      if (n < 0) throw new EOFException(path + " is cut short");
      at += n;
    }
    target.flip();
  }

  /** Whether nobody wrote to the file since it was sealed in this boot. @param modifiedUs all that Java 11 tells of a time */
  boolean isSealed(long modifiedUs) {
    return BOOT != null && boot.equals(BOOT) && modifiedUs == sealedTicks * TICK_NS / 1000;
  }

  private static long value(byte[] tail, int at) {
    long value = 0;
    for (int i = at; i < at + VALUE_BYTES; i++) value = value * 16 + Character.digit(tail[i], 16);
    return value;
  }

  private static String bootTag() {
    try {
      byte[] id = Files.readAllBytes(Paths.get("/proc/sys/kernel/random/boot_id"));
      byte[] trimmed = new String(id, StandardCharsets.ISO_8859_1).trim().getBytes(StandardCharsets.UTF_8);
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(trimmed);
      StringBuilder tag = new StringBuilder();
      for (int i = 0; i < VALUE_BYTES / 2; i++) tag.append(String.format("%02x", hash[i]));
      return tag.toString();
    } catch (IOException | NoSuchAlgorithmException e) {
      return null;
    }
  }
}
