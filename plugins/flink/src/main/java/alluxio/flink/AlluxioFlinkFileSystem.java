package alluxio.flink;

import alluxio.client.AlluxioClient;
import alluxio.client.BlockPlace;
import alluxio.client.Listing;
import alluxio.client.RemoteFailure;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.core.fs.BlockLocation;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.LocatedFileStatus;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableWriter;

/** A cluster as a file system of Flink. Calls may come from many threads. */
final class AlluxioFlinkFileSystem extends FileSystem {
  /** A restart of a daemon is waited for so long, by what the writer may repeat. */
  private static final long PATIENCE_MS = 120_000;

  private final URI uri;
  private final AlluxioClient client;
  private final java.nio.file.Path spoolFolder;
  private final HostLabels labels = new HostLabels();

  /** @param spoolFolder of this machine, for bytes that wait for a checkpoint */
  AlluxioFlinkFileSystem(URI uri, AlluxioClient client, java.nio.file.Path spoolFolder) {
    this.uri = URI.create(uri.getAuthority() == null ? "alluxio:///" : "alluxio://" + uri.getAuthority() + "/");
    this.client = client;
    this.spoolFolder = spoolFolder;
  }

  @Override
  public URI getUri() {
    return uri;
  }

  @Override
  public Path getWorkingDirectory() {
    return new Path(uri);
  }

  @Override
  public Path getHomeDirectory() {
    return new Path(uri);
  }

  @Override
  public boolean isDistributedFS() {
    return true;
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    return AlluxioFileStatus.of(path, client.getStatus(plain(path)));
  }

  /** In one call a page and one of the hint service, with the places of the blocks: Flink asks for them once a file otherwise. */
  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    List<FileStatus> all = new ArrayList<>();
    String after = null;
    for (boolean more = true; more; ) {
      Listing page = client.locations().list(plain(path), after);
      for (List<BlockPlace> places : page.places()) for (BlockPlace place : places) labels.note(place.hosts());
      for (int i = 0; i < page.entries().size(); i++) {
        alluxio.client.FileStatus entry = page.entries().get(i);
        Path of = new Path(uri.getScheme(), uri.getAuthority(), entry.path());
        all.add(AlluxioFileStatus.located(of, entry, locations(page.places().get(i))));
        after = entry.name();
      }
      more = page.hasMore();
    }
    return all.toArray(new FileStatus[0]);
  }

  @Override
  public BlockLocation[] getFileBlockLocations(FileStatus file, long start, long length) throws IOException {
    if (length == 0) return new BlockLocation[0];
    if (file instanceof LocatedFileStatus) {
      BlockLocation[] listed = ((LocatedFileStatus) file).getBlockLocations();
      return Arrays.stream(listed)
          .filter(block -> block.getOffset() < start + length && block.getOffset() + block.getLength() > start)
          .toArray(BlockLocation[]::new);
    }
    return locations(client.locations().of(plain(file.getPath()), file.getLen(), file.getBlockSize(), start, length));
  }

  private BlockLocation[] locations(List<BlockPlace> places) {
    for (BlockPlace place : places) labels.note(place.hosts());
    BlockLocation[] locations = new BlockLocation[places.size()];
    for (int i = 0; i < locations.length; i++) {
      BlockPlace place = places.get(i);
      locations[i] = new AlluxioBlockLocation(place.offset(), place.length(), labels.of(place.hosts()));
    }
    return locations;
  }

  @Override
  public FSDataInputStream open(Path path) throws IOException {
    return new AlluxioInputStream(client.open(plain(path)));
  }

  /** Bytes come from a map or from the socket's own buffer: {@code bufferSize} has no use. */
  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    return open(path);
  }

  @Override
  public FSDataOutputStream create(Path path, WriteMode mode) throws IOException {
    return new AlluxioOutputStream(client.create(plain(path), mode == WriteMode.OVERWRITE, true, 0, -1));
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    return client.delete(plain(path), recursive);
  }

  @Override
  public boolean mkdirs(Path path) throws IOException {
    client.mkdirs(plain(path), -1);
    return true;
  }

  /** To exactly {@code to}; false when something is there. */
  @Override
  public boolean rename(Path from, Path to) throws IOException {
    try {
      client.rename(plain(from), plain(to), false);
      return true;
    } catch (RemoteFailure e) {
      if (e.exception().equals("FileAlreadyExistsException")) return false;
      throw e;
    }
  }

  @Override
  public RecoverableWriter createRecoverableWriter() {
    return new AlluxioRecoverableWriter(this, spoolFolder, new Patience(PATIENCE_MS));
  }

  private static String plain(Path path) {
    String plain = path.toUri().getPath();
    return plain.isEmpty() ? "/" : plain;
  }
}
