package alluxio.flink;

import alluxio.client.RemoteFailure;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;

/** Repeats what may be repeated while a proxy or a worker is away, so that its restart does not fail a job. */
final class Patience {
  private static final long FIRST_PAUSE_MS = 20;
  private static final long LONGEST_PAUSE_MS = 2_000;

  private final long limitMs;

  /** @param limitMs after which what fails is thrown */
  Patience(long limitMs) {
    this.limitMs = limitMs;
  }

  interface Step<T> {
    T run() throws IOException;
  }

  <T> T with(Step<T> step) throws IOException {
    long deadline = System.nanoTime() + limitMs * 1_000_000;
    for (long pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      try {
        return step.run();
      } catch (IOException e) {
        if (!isPassing(e) || System.nanoTime() + pauseMs * 1_000_000 > deadline) throw e;
      }
      pause(pauseMs);
    }
  }

  private static boolean isPassing(IOException e) {
    if (e instanceof RemoteFailure) return ((RemoteFailure) e).status() >= 500;
    return e instanceof SocketException || e instanceof SocketTimeoutException || e instanceof EOFException;
  }

  private static void pause(long ms) throws IOException {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while the cluster was away");
    }
  }
}
