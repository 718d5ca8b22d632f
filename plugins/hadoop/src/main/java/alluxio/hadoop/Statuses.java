package alluxio.hadoop;

import alluxio.client.BlockPlace;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.ContentSummary;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;

/** Answers of the client in Hadoop's types. */
final class Statuses {
  private Statuses() {}

  static FileStatus of(URI uri, alluxio.client.FileStatus from) {
    // By parts: a name with a colon is no relative path.
    Path path = new Path(uri.getScheme(), uri.getAuthority(), from.path());
    return new FileStatus(
        from.length(),
        from.isDirectory(),
        from.replication(),
        from.blockSize(),
        from.modificationTimeMs(),
        from.accessTimeMs(),
        new FsPermission((short) from.mode()),
        from.owner(),
        from.group(),
        null,
        path,
        from.hasAcl(),
        false,
        false);
  }

  static BlockLocation[] locations(List<BlockPlace> places) {
    BlockLocation[] locations = new BlockLocation[places.size()];
    for (int i = 0; i < locations.length; i++) {
      BlockPlace place = places.get(i);
      locations[i] =
          new BlockLocation(
              place.names().toArray(new String[0]),
              place.hosts().toArray(new String[0]),
              place.offset(),
              place.length());
    }
    return locations;
  }

  static ContentSummary summary(Map<String, Object> answer) throws IOException {
    Map<?, ?> fields = fields(answer, "ContentSummary");
    return new ContentSummary.Builder()
        .length(number(fields, "length", 0))
        .fileCount(number(fields, "fileCount", 0))
        .directoryCount(number(fields, "directoryCount", 0))
        .quota(number(fields, "quota", -1))
        .spaceConsumed(number(fields, "spaceConsumed", 0))
        .spaceQuota(number(fields, "spaceQuota", -1))
        .build();
  }

  static FsStatus space(Map<String, Object> answer) throws IOException {
    Map<?, ?> fields = fields(answer, "FsStatus");
    return new FsStatus(number(fields, "capacity", 0), number(fields, "used", 0), number(fields, "remaining", 0));
  }

  static Map<?, ?> fields(Map<String, Object> answer, String name) throws IOException {
    Object fields = answer == null ? null : answer.get(name);
    if (fields instanceof Map) return (Map<?, ?>) fields;
    throw new IOException("the answer of the gateway has no " + name);
  }

  private static long number(Map<?, ?> fields, String name, long otherwise) {
    Object value = fields.get(name);
    return value instanceof Number ? ((Number) value).longValue() : otherwise;
  }
}
