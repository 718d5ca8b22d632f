package alluxio.hadoop;

import static alluxio.hadoop.RemoteExceptions.translated;

import alluxio.client.AlluxioClient;
import alluxio.client.Listing;
import java.io.IOException;
import java.net.URI;
import java.util.NoSuchElementException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem.Statistics;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.PathFilter;
import org.apache.hadoop.fs.RemoteIterator;

/** Entries of a directory with the places of their blocks, page by page. */
final class LocatedEntries implements RemoteIterator<LocatedFileStatus> {
  private final AlluxioClient client;
  private final URI uri;
  private final String path;
  private final PathFilter filter;
  private final Statistics statistics;
  private Listing page;
  private int index;
  private LocatedFileStatus next;

  /** The first page is asked for at once, so that a path that does not exist is told to who asked. */
  LocatedEntries(AlluxioClient client, URI uri, String path, PathFilter filter, Statistics statistics)
      throws IOException {
    this.client = client;
    this.uri = uri;
    this.path = path;
    this.filter = filter;
    this.statistics = statistics;
    turn(null);
  }

  @Override
  public boolean hasNext() throws IOException {
    while (next == null) {
      if (index == page.entries().size()) {
        if (!page.hasMore() || index == 0) return false;
        turn(page.entries().get(index - 1).name());
        continue;
      }
      FileStatus status = Statuses.of(uri, page.entries().get(index));
      if (filter.accept(status.getPath())) {
        next =
            new LocatedFileStatus(
                status, status.isFile() ? Statuses.locations(page.places().get(index)) : null);
      }
      index++;
    }
    return true;
  }

  @Override
  public LocatedFileStatus next() throws IOException {
    if (!hasNext()) throw new NoSuchElementException("no more entries in " + path);
    LocatedFileStatus found = next;
    next = null;
    return found;
  }

  private void turn(String after) throws IOException {
    statistics.incrementReadOps(1);
    page = translated(() -> client.locations().list(path, after));
    index = 0;
  }
}
