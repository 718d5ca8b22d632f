package alluxio.flink;

import org.apache.flink.core.fs.BlockLocation;

/** Hosts that hold a piece of a file; none: any host is as good. */
final class AlluxioBlockLocation implements BlockLocation {
  private final long offset;
  private final long length;
  private final String[] hosts;

  AlluxioBlockLocation(long offset, long length, String[] hosts) {
    this.offset = offset;
    this.length = length;
    this.hosts = hosts;
  }

  @Override
  public String[] getHosts() {
    return hosts.clone();
  }

  @Override
  public long getOffset() {
    return offset;
  }

  @Override
  public long getLength() {
    return length;
  }

  @Override
  public int compareTo(BlockLocation other) {
    return Long.compare(offset, other.getOffset());
  }

  @Override
  public String toString() {
    return offset + "+" + length + "@" + String.join(",", hosts);
  }
}
