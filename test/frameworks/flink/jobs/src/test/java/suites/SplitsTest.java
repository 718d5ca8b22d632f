package suites;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.flink.connector.file.src.FileSourceSplit;
import org.apache.flink.connector.file.src.enumerate.BlockSplittingRecursiveEnumerator;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.junit.jupiter.api.Test;

/** What Flink's sources make of our blocks: {@code alluxio.block} bytes each, on the host {@code alluxio.host} (none: an address). */
class SplitsTest {
  private final int block = Integer.getInteger("alluxio.block");
  private final String host = System.getProperty("alluxio.host", "");

  @Test
  void splitsAreBlocksOnTheirHosts() throws IOException {
    Path folder = new Path(System.getProperty("alluxio.uri") + "/flink-splits");
    FileSystem fs = folder.getFileSystem();
    try (FSDataOutputStream out = fs.create(new Path(folder, "below/file"), FileSystem.WriteMode.OVERWRITE)) {
      out.write(new byte[2 * block + 5]);
    }
    fs.create(new Path(folder, "empty"), FileSystem.WriteMode.OVERWRITE).close();
    fs.create(new Path(folder, ".part-0.inprogress.x.1"), FileSystem.WriteMode.OVERWRITE).close();

    List<FileSourceSplit> splits =
        new ArrayList<>(new BlockSplittingRecursiveEnumerator().enumerateSplits(new Path[] {folder}, 1));
    splits.sort(Comparator.comparing((FileSourceSplit split) -> split.path().getName()).thenComparing(FileSourceSplit::offset));
    assertThat(splits)
        .extracting(split -> split.path().getName() + " " + split.offset() + "+" + split.length())
        .containsExactly("empty 0+0", "file 0+" + block, "file " + block + "+" + block, "file " + 2 * block + "+5");
    String[] hosts = host.isEmpty() ? new String[0] : new String[] {host};
    assertThat(splits.subList(1, 4)).allSatisfy(split -> assertThat(split.hostnames()).containsExactly(hosts));
  }
}
