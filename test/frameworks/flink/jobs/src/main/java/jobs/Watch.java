package jobs;

import alluxio.flink.AlluxioSplitAssigner;
import alluxio.flink.MeteredSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.FileSourceSplit;
import org.apache.flink.connector.file.src.enumerate.NonSplittingRecursiveEnumerator;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Reads the files that appear in a folder, with the assigner {@code ours} or Flink's own, and notes for each line which TaskManager
 * read it. Arguments: input, assigner, a folder of this machine for the notes.
 */
public final class Watch {
  /** Longer than a reader takes to ask for its next split, so that readers are as fast as each other. */
  private static final long LINE_MS = 40;

  private Watch() {}

  /** Files are on the host that their name ends with: {@code 17-w1.test}. */
  public static final class NamedHosts extends NonSplittingRecursiveEnumerator {
    @Override
    protected void convertToSourceSplits(FileStatus file, FileSystem fs, List<FileSourceSplit> target) {
      String name = file.getPath().getName();
      String host = name.substring(name.indexOf('-') + 1);
      target.add(new FileSourceSplit(getNextId(), file.getPath(), 0, file.getLen(), file.getModificationTime(), file.getLen(), host));
    }
  }

  private static String note(String folder, String line) throws IOException, InterruptedException {
    String host = System.getProperty("test.host");
    Files.write(Paths.get(folder, host), (line + "\n").getBytes(), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    Thread.sleep(LINE_MS);
    return line;
  }

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(2);
    FileSource.FileSourceBuilder<String> builder =
        FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0]))
            .setFileEnumerator(NamedHosts::new)
            .monitorContinuously(Duration.ofMillis(500));
    if (args[1].equals("ours")) builder.setSplitAssigner(AlluxioSplitAssigner::new);
    String notes = args[2];
    env.fromSource(MeteredSource.of(builder.build()), WatermarkStrategy.noWatermarks(), "files")
        .map(line -> note(notes, line))
        .returns(Types.STRING)
        .sinkTo(new DiscardingSink<>());
    env.execute("watch");
  }
}
