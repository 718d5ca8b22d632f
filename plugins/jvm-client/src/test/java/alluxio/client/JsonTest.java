package alluxio.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @Test
  void readsWhatGatewaysWrite() throws IOException {
    Object value = Json.parse(" {\"a\":[1,-2.5,true,null,{}],\"b\\\"\\u00e9\\n\":\"x/\\/\\ud83d\\ude00\",\"c\":[] } ");
    Map<String, Object> map = Json.object(value);
    assertEquals(Arrays.asList(1L, -2.5, true, null, Map.of()), map.get("a"));
    assertEquals("x//\ud83d\ude00", map.get("b\"\u00e9\n"));
    assertEquals(9007199254740993L, Json.parse("9007199254740993"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[1,", "{\"a\"}", "{\"a\":1,}", "\"x", "\"\\u12\"", "tru", "1 2", "-", "{a:1}", "[1}"})
  void refusesWhatIsNoJson(String text) {
    assertThrows(IOException.class, () -> Json.parse(text));
  }

  @Test
  void isBoundedInDepth() {
    assertThrows(IOException.class, () -> Json.parse("[".repeat(100_000)));
  }
}
