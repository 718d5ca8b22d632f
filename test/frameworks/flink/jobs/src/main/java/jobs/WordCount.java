package jobs;

import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/** Counts words of text files. Arguments: input, output. */
public final class WordCount {
  private WordCount() {}

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setRuntimeMode(RuntimeExecutionMode.BATCH);
    env.setParallelism(2);
    FileSource<String> source =
        FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0])).build();
    env.fromSource(source, WatermarkStrategy.noWatermarks(), "lines")
        .flatMap(
            (String line, Collector<Tuple2<String, Long>> out) -> {
              for (String word : line.split(" ")) out.collect(Tuple2.of(word, 1L));
            })
        .returns(Types.TUPLE(Types.STRING, Types.LONG))
        .keyBy(count -> count.f0)
        .sum(1)
        .map(count -> count.f0 + " " + count.f1)
        .returns(Types.STRING)
        .sinkTo(FileSink.forRowFormat(new Path(args[1]), new SimpleStringEncoder<String>()).build());
    env.execute("word count");
  }
}
