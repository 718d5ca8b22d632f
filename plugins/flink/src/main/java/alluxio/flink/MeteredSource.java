package alluxio.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.DynamicParallelismInference;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.FileSourceSplit;
import org.apache.flink.connector.file.src.PendingSplitsCheckpoint;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * A file source whose {@link AlluxioSplitAssigner} counts into Flink's metrics, which an assigner cannot reach by itself: {@code
 * numLocalSplits} and {@code numRemoteSplits} of the source's enumerator. In all else it is the source that was given.
 */
public final class MeteredSource<T>
    implements Source<T, FileSourceSplit, PendingSplitsCheckpoint<FileSourceSplit>>,
        ResultTypeQueryable<T>,
        DynamicParallelismInference {
  private static final long serialVersionUID = 1;

  private final FileSource<T> source;

  private MeteredSource(FileSource<T> source) {
    this.source = source;
  }

  public static <T> MeteredSource<T> of(FileSource<T> source) {
    return new MeteredSource<>(source);
  }

  @Override
  public SplitEnumerator<FileSourceSplit, PendingSplitsCheckpoint<FileSourceSplit>> createEnumerator(
      SplitEnumeratorContext<FileSourceSplit> context) {
    return AlluxioSplitAssigner.metered(context.metricGroup(), () -> source.createEnumerator(context));
  }

  @Override
  public SplitEnumerator<FileSourceSplit, PendingSplitsCheckpoint<FileSourceSplit>> restoreEnumerator(
      SplitEnumeratorContext<FileSourceSplit> context, PendingSplitsCheckpoint<FileSourceSplit> checkpoint) {
    return AlluxioSplitAssigner.metered(context.metricGroup(), () -> source.restoreEnumerator(context, checkpoint));
  }

  @Override
  public Boundedness getBoundedness() {
    return source.getBoundedness();
  }

  @Override
  public SourceReader<T, FileSourceSplit> createReader(SourceReaderContext context) {
    return source.createReader(context);
  }

  @Override
  public SimpleVersionedSerializer<FileSourceSplit> getSplitSerializer() {
    return source.getSplitSerializer();
  }

  @Override
  public SimpleVersionedSerializer<PendingSplitsCheckpoint<FileSourceSplit>> getEnumeratorCheckpointSerializer() {
    return source.getEnumeratorCheckpointSerializer();
  }

  @Override
  public TypeInformation<T> getProducedType() {
    return source.getProducedType();
  }

  @Override
  public int inferParallelism(Context context) {
    return source.inferParallelism(context);
  }
}
