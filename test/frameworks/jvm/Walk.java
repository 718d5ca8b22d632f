import alluxio.hadoop.AlluxioFileSystem;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.ContentSummary;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileRange;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.security.UserGroupInformation;

/** Walks through what a program does by FileContext and FileSystem, and prints what it saw as JSON. */
public final class Walk {
  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    Path root = new Path(args[0], "context");
    FileContext context = FileContext.getFileContext(conf);
    context.mkdir(root, null, true);
    Path first = new Path(root, "first");
    Path file = new Path(root, "second file");
    try (FSDataOutputStream out = context.create(first, EnumSet.of(CreateFlag.CREATE))) {
      out.writeBytes("a file context");
    }
    context.rename(first, file, Options.Rename.OVERWRITE);
    FileSystem fs = FileSystem.get(conf);
    fs.setXAttr(file, "user.key", "value".getBytes(StandardCharsets.UTF_8));
    fs.modifyAclEntries(file, AclEntry.parseAclSpec("user:bob:r-x,group::r-x", true));
    StringBuilder json = new StringBuilder("{");
    try (FSDataInputStream in = context.open(file)) {
      byte[] bytes = new byte[14];
      in.readFully(0, bytes);
      field(json, "read", quoted(new String(bytes, StandardCharsets.UTF_8)));
      List<FileRange> ranges = List.of(FileRange.createFileRange(2, 4));
      in.readVectored(ranges, ByteBuffer::allocate);
      ByteBuffer range = ranges.get(0).getData().get();
      field(json, "vectored", quoted(StandardCharsets.UTF_8.decode(range).toString()));
      List<Boolean> has = new ArrayList<>();
      for (String name : new String[] {"in:readbytebuffer", "in:preadbytebuffer", "in:unbuffer", "hsync"}) {
        has.add(in.hasCapability(name));
      }
      field(json, "capabilities", has.toString());
    }
    RemoteIterator<LocatedFileStatus> files = fs.listFiles(root, true);
    List<String> hosts = new ArrayList<>();
    for (String host : files.next().getBlockLocations()[0].getHosts()) hosts.add(quoted(host));
    field(json, "locations", hosts.toString());
    field(json, "xattr", quoted(new String(fs.getXAttr(file, "user.key"), StandardCharsets.UTF_8)));
    List<String> acl = new ArrayList<>();
    for (AclEntry entry : fs.getAclStatus(file).getEntries()) acl.add(quoted(entry.toString()));
    field(json, "acl", acl.toString());
    field(json, "checksum", String.valueOf(fs.getFileChecksum(file).equals(fs.getFileChecksum(file))));
    ContentSummary summary = fs.getContentSummary(root);
    field(json, "summary", "[" + summary.getFileCount() + "," + summary.getLength() + "]");
    field(json, "home", quoted(fs.getHomeDirectory().toString()));
    FSDataOutputStream given = fs.create(new Path(root, "given up"));
    given.writeBytes("nothing");
    given.abort();
    long deadline = System.nanoTime() + 10_000_000_000L;
    while (fs.exists(new Path(root, "given up")) && System.nanoTime() < deadline) Thread.sleep(50);
    field(json, "aborted", String.valueOf(fs.exists(new Path(root, "given up"))));
    field(json, "owner", quoted(writtenByToken(new Path(args[1]), conf)));
    if (((AlluxioFileSystem) fs).readTally().dataRequests() != 0) throw new IllegalStateException("no short circuit");
    System.out.println(json.append('}'));
  }

  /** Owner of a file that a stranger wrote with a token of this process' user. */
  private static String writtenByToken(Path file, Configuration conf) throws Exception {
    FileSystem issuer = file.getFileSystem(conf);
    UserGroupInformation stranger = UserGroupInformation.createRemoteUser("stranger");
    stranger.addToken(issuer.getDelegationToken("nobody"));
    return stranger.doAs(
        (PrivilegedExceptionAction<String>)
            () -> {
              FileSystem fs = file.getFileSystem(conf);
              fs.create(file).close();
              return fs.getFileStatus(file).getOwner();
            });
  }

  private static void field(StringBuilder json, String name, String value) {
    json.append(json.length() > 1 ? "," : "").append(quoted(name)).append(':').append(value);
  }

  private static String quoted(String text) {
    return '"' + text + '"';
  }
}
