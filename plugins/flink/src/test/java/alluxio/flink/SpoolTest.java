package alluxio.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpoolTest {
  @TempDir Path folder;

  @Test
  void givesBackWhatWasWrittenAnyNumberOfTimes() throws IOException {
    Random random = new Random(7);
    ByteArrayOutputStream expected = new ByteArrayOutputStream();
    try (Spool spool = new Spool(folder.resolve("made"))) {
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
          byte[] bytes = new byte[random.nextInt(i % 50 == 0 ? 200_000 : 3_000)];
          random.nextBytes(bytes);
          int from = random.nextInt(bytes.length + 1);
          spool.write(bytes, from, bytes.length - from);
          expected.write(bytes, from, bytes.length - from);
          spool.write((byte) i);
          expected.write(i);
        }
        if (round == 1) spool.sync();
        assertEquals(expected.size(), spool.length());
        for (int again = 0; again < 2; again++) {
          ByteArrayOutputStream sent = new ByteArrayOutputStream();
          spool.sendTo(sent);
          assertArrayEquals(expected.toByteArray(), sent.toByteArray());
        }
        // A killed process must leave nothing.
        assertEquals(0, folder.resolve("made").toFile().list().length);
        if (round == 1) {
          spool.clear();
          expected.reset();
        }
      }
    }
  }
}
