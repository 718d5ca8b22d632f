package alluxio.hadoop;

import alluxio.client.AlluxioClient;
import alluxio.client.Query;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.XAttrCodec;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclStatus;
import org.apache.hadoop.fs.permission.FsPermission;

/** Extended attributes and access lists in the forms of WebHDFS. */
final class Attributes {
  private final AlluxioClient client;

  Attributes(AlluxioClient client) {
    this.client = client;
  }

  static Query set(String name, byte[] value, EnumSet<XAttrSetFlag> flags) throws IOException {
    List<String> words = new ArrayList<>();
    for (XAttrSetFlag flag : flags) words.add(flag.name());
    return Query.op("SETXATTR")
        .with("xattr.name", name)
        .with("xattr.value", value == null ? "" : XAttrCodec.encodeValue(value, XAttrCodec.HEX))
        .with("flag", String.join(",", words));
  }

  /** @param names empty: all that the caller may see */
  Map<String, byte[]> get(String path, List<String> names) throws IOException {
    Query query = Query.op("GETXATTRS").with("encoding", "hex");
    for (String name : names) query.with("xattr.name", name);
    Object list = client.get(path, query).get("XAttrs");
    if (!(list instanceof List)) throw new IOException("the answer of the gateway has no XAttrs");
    Map<String, byte[]> values = new LinkedHashMap<>();
    for (Object item : (List<?>) list) {
      Map<?, ?> attribute = (Map<?, ?>) item;
      Object value = attribute.get("value");
      values.put(
          String.valueOf(attribute.get("name")),
          value == null ? new byte[0] : XAttrCodec.decodeValue(String.valueOf(value)));
    }
    return values;
  }

  AclStatus acl(String path) throws IOException {
    Map<?, ?> fields = Statuses.fields(client.get(path, Query.op("GETACLSTATUS")), "AclStatus");
    AclStatus.Builder status =
        new AclStatus.Builder()
            .owner(String.valueOf(fields.get("owner")))
            .group(String.valueOf(fields.get("group")))
            .stickyBit(Boolean.TRUE.equals(fields.get("stickyBit")));
    Object permission = fields.get("permission");
    if (permission != null) status.setPermission(new FsPermission(Short.parseShort(permission.toString(), 8)));
    if (fields.get("entries") instanceof List) {
      for (Object entry : (List<?>) fields.get("entries")) {
        status.addEntry(AclEntry.parseAclEntry(String.valueOf(entry), true));
      }
    }
    return status.build();
  }
}
