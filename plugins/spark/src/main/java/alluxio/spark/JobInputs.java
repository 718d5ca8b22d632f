package alluxio.spark;

import alluxio.hadoop.AlluxioFileSystem;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a job reads: pinned while it runs, and loaded when it begins. Nothing of it can fail the job. */
final class JobInputs {
  private static final Logger LOG = LoggerFactory.getLogger(JobInputs.class);
  /** Of a load that fails. */
  private static final int ATTEMPTS = 3;

  private final Configuration conf;
  private final List<Path> pinned = new ArrayList<>();
  private volatile boolean ended;
  private Thread loading;

  JobInputs(Configuration conf) {
    this.conf = conf;
  }

  /** Pins at once; loads beside the job, which is held back for as long as it asks. */
  void prepare(PluginOptions options) {
    for (String input : options.pin) pin(input);
    if (options.warm.isEmpty()) return;
    CountDownLatch loaded = new CountDownLatch(1);
    loading =
        new Thread(
            () -> {
              for (String input : options.warm) load(input);
              loaded.countDown();
            },
            "alluxio-warm");
    loading.setDaemon(true);
    loading.start();
    try {
      boolean isWarm = loaded.await(options.warmWaitMs, TimeUnit.MILLISECONDS);
      if (!isWarm && options.warmWaitMs > 0) LOG.warn("The job begins before its inputs {} are warm", options.warm);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  void release() {
    ended = true;
    if (loading != null) loading.interrupt();
    for (Path path : pinned) {
      try {
        files(path).unpin(path);
      } catch (IOException | RuntimeException e) {
        LOG.warn("{} stays pinned: alluxio fs unpin ends that", path, e);
      }
    }
  }

  private void pin(String input) {
    try {
      Path path = path(input);
      if (files(path).pin(path)) pinned.add(path);
      LOG.info("{} is pinned", input);
    } catch (IOException | RuntimeException e) {
      LOG.warn("{} is not pinned", input, e);
    }
  }

  private void load(String input) {
    for (int attempt = 1; !ended; attempt++) {
      try {
        Path path = path(input);
        AlluxioFileSystem files = files(path);
        while (!ended && !files.load(path)) LOG.debug("{} is being loaded", input);
        if (!ended) LOG.info("{} is warm", input);
        return;
      } catch (IOException | RuntimeException e) {
        if (ended) return;
        if (attempt == ATTEMPTS) {
          LOG.warn("{} is not loaded", input, e);
          return;
        }
      }
    }
  }

  /** A path without a scheme is one of Alluxio, whatever the default file system is. */
  private Path path(String input) {
    Path path = new Path(input);
    if (path.toUri().getScheme() != null) return path;
    String standard = FileSystem.getDefaultUri(conf).getScheme();
    return AlluxioFileSystem.SCHEME.equals(standard) ? path : new Path(AlluxioFileSystem.SCHEME + "://" + input);
  }

  private AlluxioFileSystem files(Path path) throws IOException {
    FileSystem files = path.getFileSystem(conf);
    if (files instanceof AlluxioFileSystem) return (AlluxioFileSystem) files;
    throw new IOException(path + " is not on alluxio://");
  }
}
