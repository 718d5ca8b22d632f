package jobs;

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.DefaultRollingPolicy;

/**
 * Writes the numbers from 0, each once, whatever is killed meanwhile. Files stay open over several checkpoints. Arguments:
 * output, count, numbers a second.
 */
public final class Numbers {
  private Numbers() {}

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(2);
    GeneratorFunction<Long, String> line = number -> String.format("%07d of the numbers that a sink writes once", number);
    DataGeneratorSource<String> source =
        new DataGeneratorSource<>(
            line, Long.parseLong(args[1]), RateLimiterStrategy.perSecond(Double.parseDouble(args[2])), Types.STRING);
    DefaultRollingPolicy<String, String> rolling =
        DefaultRollingPolicy.builder()
            .withRolloverInterval(Duration.ofSeconds(4))
            .withInactivityInterval(Duration.ofSeconds(4))
            .withMaxPartSize(MemorySize.ofMebiBytes(1))
            .build();
    env.fromSource(source, WatermarkStrategy.noWatermarks(), "numbers")
        .sinkTo(
            FileSink.forRowFormat(new Path(args[0]), new SimpleStringEncoder<String>())
                .withBucketCheckInterval(200)
                .withRollingPolicy(rolling)
                .build());
    env.execute("numbers");
  }
}
