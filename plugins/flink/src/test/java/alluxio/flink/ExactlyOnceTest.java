package alluxio.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import alluxio.flink.FaultyFileSystem.Killed;
import java.io.IOException;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A sink that is killed around every operation on its files, and killed again after its recovery; and one that is only believed to
 * be dead and goes on beside its successor. Records tell which attempt wrote them, so that bytes of a wrong attempt are seen.
 */
class ExactlyOnceTest {
  private static final int RECORDS = 6;
  private static final Path TARGET = new Path("faulty:///bucket/part-0");
  private static final int NEVER = -1;

  @TempDir java.nio.file.Path spoolFolder;

  /** What the job knows: the last completed checkpoint. Acknowledgements of attempts that were given up do not count. */
  private static final class Job {
    final Map<Path, byte[]> files = new HashMap<>();
    int attempt;
    int position;
    byte[] resume;
    byte[] pending;
    String expected = "";
  }

  /** One life of the sink, from the last checkpoint to the published file. */
  private final class Attempt {
    private final Job job;
    private final int number;
    private final AlluxioRecoverableWriter writer;

    Attempt(Job job, FileSystem fs) {
      this.job = job;
      this.number = ++job.attempt;
      this.writer = new AlluxioRecoverableWriter(fs, spoolFolder, new Patience(0));
    }

    void run() throws IOException {
      if (job.pending != null) {
        writer.recoverForCommit(PartHandle.SERIALIZER.deserialize(1, job.pending)).commitAfterRecovery();
        return;
      }
      int position = job.position;
      StringBuilder written = new StringBuilder(job.expected);
      RecoverableFsDataOutputStream stream =
          job.resume == null ? writer.open(TARGET) : writer.recover(PartHandle.SERIALIZER.deserialize(1, job.resume));
      assertEquals(written.length(), stream.getPos());
      if (position == 0) complete(0, (PartHandle) stream.persist(), null, "");
      while (position < RECORDS) {
        String record = position + "@" + number + "\n";
        stream.write(record.getBytes(StandardCharsets.UTF_8));
        written.append(record);
        position++;
        if (position % 2 == 0) complete(position, (PartHandle) stream.persist(), null, written.toString());
      }
      RecoverableFsDataOutputStream.Committer committer = stream.closeForCommit();
      if (complete(position, null, (PartHandle) committer.getRecoverable(), written.toString())) committer.commit();
    }

    private boolean complete(int position, PartHandle resume, PartHandle pending, String expected) throws IOException {
      if (job.attempt != number) return false;
      job.position = position;
      job.resume = resume == null ? null : PartHandle.SERIALIZER.serialize(resume);
      job.pending = pending == null ? null : PartHandle.SERIALIZER.serialize(pending);
      job.expected = expected;
      return true;
    }
  }

  /** Whether the attempt came to its end. */
  private boolean survives(Job job, int killedAt) throws IOException {
    try {
      new Attempt(job, FaultyFileSystem.killedAt(killedAt, job.files)).run();
      return true;
    } catch (Killed e) {
      return false;
    }
  }

  private static void assertOnce(Job job, String when) {
    assertEquals(RECORDS, job.expected.lines().count(), when);
    assertEquals(job.expected, new String(job.files.get(TARGET), StandardCharsets.UTF_8), when);
    for (Path file : job.files.keySet())
      assertTrue(file.equals(TARGET) || file.getPath().contains("/.part-0.inprogress."), file + " " + when);
  }

  @Test
  void killedTwice() throws IOException {
    int pairs = 0;
    for (int first = 0; ; first++) {
      for (int second = 0; ; second++) {
        Job job = new Job();
        if (survives(job, first)) {
          assertOnce(job, "without a kill");
          assertEquals(Set.of(TARGET), job.files.keySet());
          assertTrue(first > 20 && pairs > 400, "the kills hit too few operations: " + first + ", " + pairs);
          return;
        }
        boolean survived = survives(job, second);
        if (!survived) assertTrue(survives(job, NEVER));
        assertOnce(job, "killed at " + first + " and at " + second);
        pairs++;
        if (survived) break;
      }
    }
  }

  /** The one that stalls begins new, from a part with one segment or with two, or with a part that is being published. */
  @Test
  void takenForDead() throws IOException {
    int stalls = 0;
    for (int killedBefore : new int[] {0, 3, 5, 9, 20}) {
      for (int stalledAt = 0; staleAttempts(killedBefore, stalledAt); stalledAt++) stalls++;
    }
    assertTrue(stalls > 80, "the stalls hit too few operations: " + stalls);
  }

  /** False when the attempt ended before that point. */
  private boolean staleAttempts(int killedBefore, int stalledAt) throws IOException {
    for (int killed = NEVER; killed < 30; killed++) {
      Job job = new Job();
      assertTrue(!survives(job, killedBefore));
      boolean[] met = new boolean[1];
      int killedAt = killed;
      FileSystem stalling =
          new FaultyFileSystem(
              job.files,
              at -> {
                if (at != stalledAt) return;
                met[0] = true;
                survives(job, killedAt);
              });
      try {
        new Attempt(job, stalling).run();
      } catch (IOException e) {
        // It finds that others went on: that is how it learns.
        assertTrue(met[0], e.toString());
      }
      assertTrue(survives(job, NEVER));
      assertOnce(job, "stalled at " + stalledAt + ", the successor killed at " + killed);
      if (!met[0]) return false;
    }
    return true;
  }

  /** Each answer is lost once: the operation was done, and the writer cannot know. */
  @Test
  void lostAnswers() throws IOException {
    for (int lost = 0; ; lost++) {
      int lostAt = lost;
      boolean[] met = new boolean[1];
      Map<Path, byte[]> files = new HashMap<>();
      FileSystem fs =
          new FaultyFileSystem(
              files,
              at -> {
                if (at != lostAt) return;
                met[0] = true;
                throw new SocketException("cut");
              });
      AlluxioRecoverableWriter writer = new AlluxioRecoverableWriter(fs, spoolFolder, new Patience(5_000));
      RecoverableFsDataOutputStream stream = writer.open(TARGET);
      stream.write("one".getBytes(StandardCharsets.UTF_8));
      PartHandle part = (PartHandle) stream.persist();
      stream = writer.recover(part);
      stream.write("two".getBytes(StandardCharsets.UTF_8));
      stream.closeForCommit().commit();
      assertEquals("onetwo", new String(files.get(TARGET), StandardCharsets.UTF_8), "lost at " + lost);
      assertEquals(Set.of(TARGET), files.keySet(), "lost at " + lost);
      if (!met[0]) {
        assertTrue(lost > 20, "too few answers were lost: " + lost);
        return;
      }
    }
  }

  @Test
  void neverOverwrites() throws IOException {
    Map<Path, byte[]> files = new HashMap<>();
    AlluxioRecoverableWriter writer =
        new AlluxioRecoverableWriter(FaultyFileSystem.killedAt(NEVER, files), spoolFolder, new Patience(0));
    RecoverableFsDataOutputStream stream = writer.open(TARGET);
    stream.write("mine".getBytes(StandardCharsets.UTF_8));
    RecoverableFsDataOutputStream.Committer committer = stream.closeForCommit();
    byte[] others = "else".getBytes(StandardCharsets.UTF_8);
    files.put(TARGET, others);
    assertThrows(IOException.class, committer::commit);
    assertEquals(others, files.get(TARGET));
  }

  /** As a job that ended and was told to commit again does, for a part without bytes as well. */
  @Test
  void publishesOnce() throws IOException {
    for (String content : new String[] {"", "bytes"}) {
      Map<Path, byte[]> files = new HashMap<>();
      AlluxioRecoverableWriter writer =
          new AlluxioRecoverableWriter(FaultyFileSystem.killedAt(NEVER, files), spoolFolder, new Patience(0));
      RecoverableFsDataOutputStream stream = writer.open(TARGET);
      stream.write(content.getBytes(StandardCharsets.UTF_8));
      RecoverableFsDataOutputStream.Committer committer = stream.closeForCommit();
      committer.commit();
      for (int again = 0; again < 2; again++) committer.commitAfterRecovery();
      assertEquals(Set.of(TARGET), files.keySet());
      assertEquals(content, new String(files.get(TARGET), StandardCharsets.UTF_8));
    }
  }
}
