package jobs;

import alluxio.flink.AlluxioSplitAssigner;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Counts lines of text files where they are read; nothing is sent on. Accumulators have {@code lines}, {@code digest} and, as {@code
 * ORIGIN by READER}, how many files were read where. Arguments: input, assigner ({@code ours} or {@code default}), readers,
 * milliseconds of work that a file costs besides.
 */
public final class Scan {
  private Scan() {}

  /** Of lines that begin with the host that wrote them, the number of the file and their own: {@code h1.test 0 17 }. */
  private static final class Counting extends RichMapFunction<String, String> {
    private static final long serialVersionUID = 1;
    private final long workMs;

    Counting(long workMs) {
      this.workMs = workMs;
    }

    @Override
    public String map(String line) throws InterruptedException {
      RuntimeContext context = getRuntimeContext();
      context.getLongCounter("lines").add(1L);
      context.getLongCounter("digest").add((long) line.hashCode());
      String[] words = line.split(" ", 4);
      if (words.length == 4 && words[2].equals("0")) {
        context.getLongCounter(words[0] + " by " + System.getProperty("test.host")).add(1L);
        Thread.sleep(workMs);
      }
      return line;
    }
  }

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setRuntimeMode(RuntimeExecutionMode.BATCH);
    env.setParallelism(Integer.parseInt(args[2]));
    FileSource.FileSourceBuilder<String> builder =
        FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0]));
    if (args[1].equals("ours")) builder.setSplitAssigner(AlluxioSplitAssigner::new);
    env.fromSource(builder.build(), WatermarkStrategy.noWatermarks(), "files")
        .map(new Counting(Long.parseLong(args[3])))
        .returns(Types.STRING)
        .sinkTo(new DiscardingSink<>());
    env.execute("scan");
  }
}
