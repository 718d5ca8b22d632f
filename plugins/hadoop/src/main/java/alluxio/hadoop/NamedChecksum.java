package alluxio.hadoop;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.util.StringUtils;

/** A checksum of a whole file under the name of its algorithm. */
public final class NamedChecksum extends FileChecksum {
  private String algorithm = "";
  private byte[] bytes = new byte[0];

  /** For Writable. */
  public NamedChecksum() {}

  private NamedChecksum(String algorithm, byte[] bytes) {
    this.algorithm = algorithm;
    this.bytes = bytes;
  }

  static NamedChecksum of(Map<String, Object> answer) throws IOException {
    Map<?, ?> fields = Statuses.fields(answer, "FileChecksum");
    return new NamedChecksum(
        String.valueOf(fields.get("algorithm")), StringUtils.hexStringToByte(String.valueOf(fields.get("bytes"))));
  }

  @Override
  public String getAlgorithmName() {
    return algorithm;
  }

  @Override
  public int getLength() {
    return bytes.length;
  }

  @Override
  public byte[] getBytes() {
    return bytes.clone();
  }

  @Override
  public void readFields(DataInput in) throws IOException {
    algorithm = in.readUTF();
    bytes = new byte[in.readUnsignedShort()];
    in.readFully(bytes);
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeUTF(algorithm);
    out.writeShort(bytes.length);
    out.write(bytes);
  }

  @Override
  public String toString() {
    return algorithm + ":" + StringUtils.byteToHexString(bytes);
  }
}
