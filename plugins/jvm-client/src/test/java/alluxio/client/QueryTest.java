package alluxio.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import org.junit.jupiter.api.Test;

class QueryTest {
  @Test
  void everyCharacterOfAPathComesBack() {
    String path = "/a b/%41+&=?#;@:,\"'\\<>|\u0001\u00e9\u4e2d\ud83d\ude00~._-*";
    String target = Gateway.target(path, Query.op("OPEN").with("x", "a&b=c d+e").with("none", null).toString());
    URI uri = URI.create("http://h" + target);
    assertEquals("/webhdfs/v1" + path, uri.getPath());
    assertEquals("op=OPEN&x=a%26b%3Dc%20d%2Be", uri.getRawQuery());
  }
}
