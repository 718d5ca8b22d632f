package alluxio.hadoop;

import static alluxio.hadoop.RemoteExceptions.translated;

import alluxio.client.AlluxioClient;
import alluxio.client.ClientOptions;
import alluxio.client.Listing;
import alluxio.client.Query;
import alluxio.client.ReadTally;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.ContentSummary;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathFilter;
import org.apache.hadoop.fs.QuotaUsage;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.impl.PathCapabilitiesSupport;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclStatus;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.util.Progressable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code alluxio://host:port/}, where host and port are those of a proxy's WebHDFS gateway; without them {@code fs.alluxio.proxy},
 * and without that the proxy of this host.
 */
public final class AlluxioFileSystem extends FileSystem {
  public static final String SCHEME = "alluxio";
  public static final String PROXY_KEY = "fs.alluxio.proxy";
  /** Whether tier files of this host are read directly. */
  public static final String SHORT_CIRCUIT_KEY = "fs.alluxio.short.circuit";
  /** Whether pages are verified although the seal of their file is unbroken. */
  public static final String VERIFY_KEY = "fs.alluxio.verify";
  /** Block size of new files, bytes; without it the cluster decides. */
  public static final String BLOCK_SIZE_KEY = "fs.alluxio.block.size";
  /** Where places of blocks are asked for: {@code proxy}, {@code host:port} of the master's web port, or {@code off}. */
  public static final String HINTS_KEY = "fs.alluxio.hints";
  /** How long the hint service is waited for before the block map answers, milliseconds. */
  public static final String HINT_TIMEOUT_KEY = "fs.alluxio.hints.timeout.ms";
  /** How long a proxy that does not answer is waited for, milliseconds. */
  public static final String RETRY_KEY = "fs.alluxio.retry.ms";

  private static final Logger LOG = LoggerFactory.getLogger(AlluxioFileSystem.class);
  private static final int DEFAULT_PORT = 39870;
  private static final long DEFAULT_BLOCK_SIZE = 64L << 20;
  private static final Text TOKEN_KIND = new Text("WEBHDFS delegation");

  private URI uri;
  private Path workingDirectory;
  private UserGroupInformation user;
  private AlluxioClient client;
  /** 0: not asked yet. */
  private volatile long clusterBlockSize;
  private Attributes attributes;

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    super.initialize(name, conf);
    setConf(conf);
    String authority = name.getAuthority();
    uri = URI.create(SCHEME + "://" + (authority == null ? "/" : authority));
    user = UserGroupInformation.getCurrentUser();
    String proxy = authority == null ? conf.getTrimmed(PROXY_KEY, ClientOptions.DEFAULT_PROXY) : authority;
    client = new AlluxioClient(options(proxy.matches(".*:\\d+") ? proxy : proxy + ":" + DEFAULT_PORT, conf), LOG::warn);
    ClientStatistics.OF_THIS_PROGRAM.add(client);
    attributes = new Attributes(client);
    workingDirectory = getHomeDirectory();
  }

  private ClientOptions options(String proxy, Configuration conf) {
    UserGroupInformation real = user.getRealUser();
    ClientOptions options =
        ClientOptions.of(proxy, (real == null ? user : real).getShortUserName())
            .withOnBehalfOf(real == null ? null : user.getShortUserName())
            .withShortCircuit(conf.getBoolean(SHORT_CIRCUIT_KEY, true))
            .withVerifyAlways(conf.getBoolean(VERIFY_KEY, false))
            .withTimeouts(5_000, 60_000, conf.getLong(RETRY_KEY, 60_000))
            .withHints(hints(proxy, conf), conf.getInt(HINT_TIMEOUT_KEY, ClientOptions.DEFAULT_HINT_TIMEOUT_MS));
    Token<?> token = tokenOf(user);
    try {
      return token == null ? options : options.withToken(token.encodeToUrlString());
    } catch (IOException e) {
      throw new IllegalArgumentException("the delegation token for " + uri + " cannot be read", e);
    }
  }

  private static String hints(String proxy, Configuration conf) {
    String where = conf.getTrimmed(HINTS_KEY, "proxy");
    return where.equals("proxy") ? proxy : where.equals("off") ? null : where;
  }

  private Token<?> tokenOf(UserGroupInformation holder) {
    String service = getCanonicalServiceName();
    if (service == null) return null;
    for (Token<?> token : holder.getTokens()) {
      if (token.getKind().equals(TOKEN_KIND) && token.getService().toString().equals(service)) return token;
    }
    return null;
  }

  @Override
  public String getScheme() {
    return SCHEME;
  }

  @Override
  public URI getUri() {
    return uri;
  }

  @Override
  public Path getWorkingDirectory() {
    return workingDirectory;
  }

  @Override
  public void setWorkingDirectory(Path path) {
    workingDirectory = makeQualified(fixRelativePart(path));
  }

  @Override
  public Path getHomeDirectory() {
    return makeQualified(new Path("/user/" + user.getShortUserName()));
  }

  /** Where the bytes that this file system read came from. */
  public ReadTally readTally() {
    return client.tally();
  }

  private String at(Path path) {
    checkPath(path);
    return fixRelativePart(path).toUri().getPath();
  }

  // Bytes

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    statistics.incrementReadOps(1);
    String at = at(path);
    return new FSDataInputStream(new AlluxioInputStream(translated(() -> client.open(at)), statistics));
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return create(path, permission, overwrite, blockSize, true);
  }

  @Override
  public FSDataOutputStream createNonRecursive(
      Path path,
      FsPermission permission,
      EnumSet<CreateFlag> flags,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return create(path, permission, flags.contains(CreateFlag.OVERWRITE), blockSize, false);
  }

  private FSDataOutputStream create(
      Path path, FsPermission permission, boolean overwrite, long blockSize, boolean createParents)
      throws IOException {
    statistics.incrementWriteOps(1);
    String at = at(path);
    FsPermission masked = masked(permission, FsPermission.getFileDefault());
    // Paths may have defaults of their own, which the cluster knows.
    long size = getConf().get(BLOCK_SIZE_KEY) == null && blockSize == getDefaultBlockSize() ? 0 : blockSize;
    return translated(
        () ->
            new FSDataOutputStream(
                new AlluxioOutputStream(client.create(at, overwrite, createParents, size, masked.toShort())),
                statistics));
  }

  private FsPermission masked(FsPermission permission, FsPermission otherwise) {
    return (permission == null ? otherwise : permission).applyUMask(FsPermission.getUMask(getConf()));
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferSize, Progressable progress) throws IOException {
    statistics.incrementWriteOps(1);
    String at = at(path);
    return translated(
        () -> {
          long length = client.getStatus(at).length();
          return new FSDataOutputStream(new AlluxioOutputStream(client.append(at)), statistics, length);
        });
  }

  @Override
  public boolean truncate(Path path, long length) throws IOException {
    statistics.incrementWriteOps(1);
    if (length < 0) throw new IllegalArgumentException("Cannot truncate " + path + " to " + length + " bytes");
    return translated(() -> client.truncate(at(path), length));
  }

  @Override
  public void concat(Path target, Path[] sources) throws IOException {
    statistics.incrementWriteOps(1);
    if (sources.length == 0) throw new IllegalArgumentException("no files to append to " + target);
    List<String> from = new ArrayList<>();
    for (Path source : sources) from.add(at(source));
    translated(
        () -> {
          client.concat(at(target), from);
          return null;
        });
  }

  @Override
  public FileChecksum getFileChecksum(Path path, long length) throws IOException {
    // Of a part there is none, as in HDFS by WebHDFS.
    return length == Long.MAX_VALUE ? getFileChecksum(path) : null;
  }

  @Override
  public FileChecksum getFileChecksum(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> NamedChecksum.of(client.get(at(path), Query.op("GETFILECHECKSUM"))));
  }

  // Namespace

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> Statuses.of(uri, client.getStatus(at(path))));
  }

  /** With the places of blocks: Spark, which lists so, asks for them once a file otherwise. */
  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    List<FileStatus> all = new ArrayList<>();
    RemoteIterator<LocatedFileStatus> entries = listLocatedStatus(path, entry -> true);
    while (entries.hasNext()) all.add(entries.next());
    return all.toArray(new FileStatus[0]);
  }

  /** {@code listStatusIterator} pages by it. */
  @Override
  protected DirectoryEntries listStatusBatch(Path path, byte[] token) throws IOException {
    statistics.incrementReadOps(1);
    String after = token == null ? null : new String(token, StandardCharsets.UTF_8);
    Listing page = translated(() -> client.list(at(path), after));
    FileStatus[] entries = new FileStatus[page.entries().size()];
    for (int i = 0; i < entries.length; i++) entries[i] = Statuses.of(uri, page.entries().get(i));
    if (entries.length == 0) return new DirectoryEntries(entries, null, false);
    byte[] last = page.entries().get(entries.length - 1).name().getBytes(StandardCharsets.UTF_8);
    return new DirectoryEntries(entries, last, page.hasMore());
  }

  /** In one call a page, and one of the hint service. */
  @Override
  protected RemoteIterator<LocatedFileStatus> listLocatedStatus(Path path, PathFilter filter) throws IOException {
    return new LocatedEntries(client, uri, at(path), filter, statistics);
  }

  @Override
  public BlockLocation[] getFileBlockLocations(FileStatus file, long start, long length) throws IOException {
    if (file == null) return null;
    if (start < 0 || length < 0) throw new IllegalArgumentException("Invalid start or len parameter");
    if (file.getLen() <= start) return new BlockLocation[0];
    statistics.incrementReadOps(1);
    String at = at(file.getPath());
    return Statuses.locations(
        translated(() -> client.locations().of(at, file.getLen(), file.getBlockSize(), start, length)));
  }

  @Override
  public BlockLocation[] getFileBlockLocations(Path path, long start, long length) throws IOException {
    if (start < 0 || length < 0) throw new IllegalArgumentException("Invalid start or len parameter");
    return getFileBlockLocations(getFileStatus(path), start, length);
  }

  /** Caches a file, or all files below a directory. @return whether all is there; if not, ask again: it goes on meanwhile */
  public boolean load(Path path) throws IOException {
    return translated(() -> client.load(at(path)));
  }

  /** Keeps a path and all below it from being evicted. @return false when it was pinned before */
  public boolean pin(Path path) throws IOException {
    return translated(() -> client.pin(at(path)));
  }

  public void unpin(Path path) throws IOException {
    translated(
        () -> {
          client.unpin(at(path));
          return null;
        });
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    statistics.incrementWriteOps(1);
    int mode = masked(permission, FsPermission.getDirDefault()).toShort();
    return translated(
        () -> {
          client.mkdirs(at(path), mode);
          return true;
        });
  }

  @Override
  public boolean rename(Path src, Path dst) throws IOException {
    statistics.incrementWriteOps(1);
    return translated(() -> client.rename(at(src), at(dst)));
  }

  @Override
  @SuppressWarnings("deprecation")
  public void rename(Path src, Path dst, Options.Rename... options) throws IOException {
    statistics.incrementWriteOps(1);
    boolean overwrite = List.of(options).contains(Options.Rename.OVERWRITE);
    translated(
        () -> {
          client.rename(at(src), at(dst), overwrite);
          return null;
        });
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    statistics.incrementWriteOps(1);
    return translated(() -> client.delete(at(path), recursive));
  }

  @Override
  public ContentSummary getContentSummary(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> Statuses.summary(client.get(at(path), Query.op("GETCONTENTSUMMARY"))));
  }

  @Override
  public QuotaUsage getQuotaUsage(Path path) throws IOException {
    // No quotas are kept; the numbers are those of the summary.
    return getContentSummary(path);
  }

  @Override
  public FsStatus getStatus(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> Statuses.space(client.get(path == null ? "/" : at(path), Query.op("GETSTATUS"))));
  }

  @Override
  @SuppressWarnings("deprecation")
  public long getDefaultBlockSize() {
    long size = getConf().getLongBytes(BLOCK_SIZE_KEY, clusterBlockSize);
    if (size == 0) size = clusterBlockSize = askBlockSize();
    return size;
  }

  private long askBlockSize() {
    try {
      Object defaults = client.get("/", Query.op("GETSERVERDEFAULTS")).get("FsServerDefaults");
      return ((Number) ((Map<?, ?>) defaults).get("blockSize")).longValue();
    } catch (IOException e) {
      return DEFAULT_BLOCK_SIZE;
    }
  }

  @Override
  public Path getTrashRoot(Path path) {
    try {
      Map<String, Object> answer = client.get(at(path), Query.op("GETTRASHROOT"));
      return makeQualified(new Path((String) answer.get("Path")));
    } catch (IOException e) {
      return super.getTrashRoot(path);
    }
  }

  // Attributes

  @Override
  public void access(Path path, FsAction mode) throws IOException {
    statistics.incrementReadOps(1);
    translated(() -> client.get(at(path), Query.op("CHECKACCESS").with("fsaction", mode.SYMBOL)));
  }

  @Override
  public void setPermission(Path path, FsPermission permission) throws IOException {
    change(path, Query.op("SETPERMISSION").with("permission", Integer.toOctalString(permission.toShort())));
  }

  @Override
  public void setOwner(Path path, String owner, String group) throws IOException {
    if (owner == null && group == null) throw new IllegalArgumentException("owner == null && group == null");
    change(path, Query.op("SETOWNER").with("owner", owner).with("group", group));
  }

  @Override
  public void setTimes(Path path, long modified, long accessed) throws IOException {
    change(path, Query.op("SETTIMES").with("modificationtime", modified).with("accesstime", accessed));
  }

  @Override
  public boolean setReplication(Path path, short replication) throws IOException {
    statistics.incrementWriteOps(1);
    Query query = Query.op("SETREPLICATION").with("replication", replication);
    return translated(() -> Boolean.TRUE.equals(client.put(at(path), query).get("boolean")));
  }

  @Override
  public void setXAttr(Path path, String name, byte[] value, EnumSet<XAttrSetFlag> flags) throws IOException {
    change(path, Attributes.set(name, value, flags));
  }

  @Override
  public byte[] getXAttr(Path path, String name) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> attributes.get(at(path), List.of(name)).get(name));
  }

  @Override
  public Map<String, byte[]> getXAttrs(Path path) throws IOException {
    return getXAttrs(path, List.of());
  }

  @Override
  public Map<String, byte[]> getXAttrs(Path path, List<String> names) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> attributes.get(at(path), names));
  }

  @Override
  public List<String> listXAttrs(Path path) throws IOException {
    return new ArrayList<>(getXAttrs(path).keySet());
  }

  @Override
  public void removeXAttr(Path path, String name) throws IOException {
    change(path, Query.op("REMOVEXATTR").with("xattr.name", name));
  }

  @Override
  public void modifyAclEntries(Path path, List<AclEntry> entries) throws IOException {
    change(path, Query.op("MODIFYACLENTRIES").with("aclspec", AclEntry.aclSpecToString(entries)));
  }

  @Override
  public void removeAclEntries(Path path, List<AclEntry> entries) throws IOException {
    change(path, Query.op("REMOVEACLENTRIES").with("aclspec", AclEntry.aclSpecToString(entries)));
  }

  @Override
  public void removeDefaultAcl(Path path) throws IOException {
    change(path, Query.op("REMOVEDEFAULTACL"));
  }

  @Override
  public void removeAcl(Path path) throws IOException {
    change(path, Query.op("REMOVEACL"));
  }

  @Override
  public void setAcl(Path path, List<AclEntry> entries) throws IOException {
    change(path, Query.op("SETACL").with("aclspec", AclEntry.aclSpecToString(entries)));
  }

  @Override
  public AclStatus getAclStatus(Path path) throws IOException {
    statistics.incrementReadOps(1);
    return translated(() -> attributes.acl(at(path)));
  }

  private void change(Path path, Query query) throws IOException {
    statistics.incrementWriteOps(1);
    translated(() -> client.put(at(path), query));
  }

  // Who calls

  /** Null without an authority: then the proxy of each host is asked, which believes its own host. */
  @Override
  public String getCanonicalServiceName() {
    return uri.getAuthority() == null ? null : SecurityUtil.buildDTServiceName(uri, DEFAULT_PORT);
  }

  @Override
  public Token<?> getDelegationToken(String renewer) throws IOException {
    Query query = Query.op("GETDELEGATIONTOKEN").with("renewer", renewer);
    return translated(
        () -> {
          Object answer = client.get("/", query).get("Token");
          if (!(answer instanceof Map)) throw new IOException("the gateway gave no token");
          Token<TokenIdentifier> token = new Token<>();
          token.decodeFromUrlString((String) ((Map<?, ?>) answer).get("urlString"));
          token.setKind(TOKEN_KIND);
          token.setService(new Text(String.valueOf(getCanonicalServiceName())));
          return token;
        });
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    switch (PathCapabilitiesSupport.validatePathCapabilityArgs(makeQualified(path), capability)
        .toLowerCase(Locale.ROOT)) {
      case CommonPathCapabilities.FS_ACLS:
      case CommonPathCapabilities.FS_APPEND:
      case CommonPathCapabilities.FS_CHECKSUMS:
      case CommonPathCapabilities.FS_CONCAT:
      case CommonPathCapabilities.FS_PERMISSIONS:
      case CommonPathCapabilities.FS_TRUNCATE:
      case CommonPathCapabilities.FS_XATTRS:
      case CommonPathCapabilities.ABORTABLE_STREAM:
        return true;
      default:
        return super.hasPathCapability(path, capability);
    }
  }

  @Override
  public void close() throws IOException {
    super.close();
    if (client == null) return;
    ClientStatistics.OF_THIS_PROGRAM.remove(client);
    client.close();
  }
}
