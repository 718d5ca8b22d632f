package alluxio.client;

import java.util.List;

/** One page of a directory. */
public final class Listing {
  private final List<FileStatus> entries;
  private final List<List<BlockPlace>> places;
  private final boolean more;

  Listing(List<FileStatus> entries, List<List<BlockPlace>> places, boolean more) {
    this.entries = entries;
    this.places = places;
    this.more = more;
  }

  public List<FileStatus> entries() {
    return entries;
  }

  /** Of each entry, if they were asked for; else null. */
  public List<List<BlockPlace>> places() {
    return places;
  }

  /** Whether a page follows, after the name of the last entry. */
  public boolean hasMore() {
    return more;
  }
}
