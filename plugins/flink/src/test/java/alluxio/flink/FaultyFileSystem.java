package alluxio.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import org.apache.flink.core.fs.BlockLocation;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/** What alluxio:// promises (files appear whole, rename never overwrites), over a map of files, failing where a test wants. */
final class FaultyFileSystem extends FileSystem {
  /** The process is gone: no code of it runs any more, so nothing may catch this. */
  static final class Killed extends Error {
    private static final long serialVersionUID = 1;
  }

  /** Called around each operation, with even numbers before and odd numbers after it. */
  interface Fault {
    void at(int point) throws IOException;
  }

  private final Map<Path, byte[]> files;
  private final Fault fault;
  private int points;
  private boolean dead;

  FaultyFileSystem(Map<Path, byte[]> files, Fault fault) {
    this.files = files;
    this.fault = fault;
  }

  static FaultyFileSystem killedAt(int point, Map<Path, byte[]> files) {
    return new FaultyFileSystem(
        files,
        at -> {
          if (at == point) throw new Killed();
        });
  }

  private interface Operation<T> {
    T run() throws IOException;
  }

  private <T> T around(Operation<T> operation) throws IOException {
    if (dead) throw new Killed();
    try {
      fault.at(points++);
      T result = operation.run();
      fault.at(points++);
      return result;
    } catch (Killed e) {
      dead = true;
      throw e;
    }
  }

  private byte[] bytes(Path path) throws IOException {
    byte[] bytes = files.get(path);
    if (bytes == null) throw new FileNotFoundException(path.toString());
    return bytes;
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    return around(() -> new Status(path, bytes(path).length));
  }

  @Override
  public FSDataInputStream open(Path path) throws IOException {
    return around(() -> new Input(bytes(path)));
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    return around(
        () -> {
          boolean below = recursive && files.keySet().removeIf(file -> file.getParent().equals(path));
          return files.remove(path) != null || below;
        });
  }

  @Override
  public boolean rename(Path from, Path to) throws IOException {
    return around(
        () -> {
          byte[] bytes = bytes(from);
          if (files.putIfAbsent(to, bytes) != null) return false;
          files.remove(from);
          return true;
        });
  }

  @Override
  public FSDataOutputStream create(Path path, WriteMode mode) {
    return new Output(
        bytes ->
            around(
                () -> {
                  if (mode == WriteMode.OVERWRITE) files.put(path, bytes);
                  else if (files.putIfAbsent(path, bytes) != null) throw new IOException(path + " exists");
                  return null;
                }));
  }

  private static final class Status implements FileStatus {
    private final Path path;
    private final long length;

    Status(Path path, long length) {
      this.path = path;
      this.length = length;
    }

    @Override
    public long getLen() {
      return length;
    }

    @Override
    public long getBlockSize() {
      return length;
    }

    @Override
    public short getReplication() {
      return 1;
    }

    @Override
    public long getModificationTime() {
      return 0;
    }

    @Override
    public long getAccessTime() {
      return 0;
    }

    @Override
    public boolean isDir() {
      return false;
    }

    @Override
    public Path getPath() {
      return path;
    }
  }

  private static final class Input extends FSDataInputStream {
    private final ByteArrayInputStream in;

    Input(byte[] bytes) {
      this.in = new ByteArrayInputStream(bytes);
    }

    @Override
    public void seek(long position) {
      in.reset();
      in.skip(position);
    }

    @Override
    public long getPos() {
      throw new UnsupportedOperationException();
    }

    @Override
    public int read() {
      return in.read();
    }

    @Override
    public int read(byte[] into, int from, int length) {
      return in.read(into, from, length);
    }
  }

  private interface Closing {
    void with(byte[] bytes) throws IOException;
  }

  private static final class Output extends FSDataOutputStream {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final Closing closing;

    Output(Closing closing) {
      this.closing = closing;
    }

    @Override
    public void write(int one) {
      bytes.write(one);
    }

    @Override
    public void write(byte[] from, int offset, int length) {
      bytes.write(from, offset, length);
    }

    @Override
    public long getPos() {
      return bytes.size();
    }

    @Override
    public void flush() {}

    @Override
    public void sync() {}

    @Override
    public void close() throws IOException {
      closing.with(bytes.toByteArray());
    }
  }

  @Override
  public boolean isDistributedFS() {
    return true;
  }

  @Override
  public URI getUri() {
    return URI.create("faulty:///");
  }

  @Override
  public FSDataInputStream open(Path path, int bufferSize) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileStatus[] listStatus(Path path) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean mkdirs(Path path) {
    throw new UnsupportedOperationException();
  }

  @Override
  public BlockLocation[] getFileBlockLocations(FileStatus file, long start, long length) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Path getWorkingDirectory() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Path getHomeDirectory() {
    throw new UnsupportedOperationException();
  }
}
