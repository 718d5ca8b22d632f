package alluxio.client;

import java.io.IOException;
import java.util.Map;

/** Metadata of a path at the time it was asked for. */
public final class FileStatus {
  private final String path;
  private final boolean directory;
  private final long fileId;
  private final long length;
  private final long blockSize;
  private final long modificationTimeMs;
  private final long accessTimeMs;
  private final String owner;
  private final String group;
  private final int mode;
  private final int replication;
  private final boolean acl;

  private FileStatus(String path, Map<String, Object> from) throws IOException {
    this.path = path;
    this.directory = "DIRECTORY".equals(from.get("type"));
    this.fileId = Json.number(from, "fileId", 0);
    this.length = Json.number(from, "length", 0);
    this.blockSize = Json.number(from, "blockSize", 0);
    this.modificationTimeMs = Json.number(from, "modificationTime", 0);
    this.accessTimeMs = Json.number(from, "accessTime", 0);
    this.owner = Json.string(from, "owner", "");
    this.group = Json.string(from, "group", "");
    this.mode = octal(Json.string(from, "permission", "0"));
    this.replication = (int) Json.number(from, "replication", 1);
    this.acl = Json.truth(from, "aclBit");
  }

  /** @param path of what was asked for */
  static FileStatus of(String path, Map<String, Object> from) throws IOException {
    return new FileStatus(path, from);
  }

  /** @param parent the directory that was listed, or the file itself */
  static FileStatus listed(String parent, Map<String, Object> from) throws IOException {
    String suffix = Json.string(from, "pathSuffix", "");
    String path = suffix.isEmpty() ? parent : parent.endsWith("/") ? parent + suffix : parent + "/" + suffix;
    return new FileStatus(path, from);
  }

  private static int octal(String text) throws IOException {
    try {
      return Integer.parseInt(text, 8);
    } catch (NumberFormatException e) {
      throw new IOException("no permission: " + text);
    }
  }

  public String path() {
    return path;
  }

  public String name() {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  public boolean isDirectory() {
    return directory;
  }

  public long fileId() {
    return fileId;
  }

  /** Bytes. */
  public long length() {
    return length;
  }

  /** Bytes; 0 for a directory. */
  public long blockSize() {
    return blockSize;
  }

  public long modificationTimeMs() {
    return modificationTimeMs;
  }

  public long accessTimeMs() {
    return accessTimeMs;
  }

  public String owner() {
    return owner;
  }

  public String group() {
    return group;
  }

  /** Permission bits, with sticky bit. */
  public int mode() {
    return mode;
  }

  public int replication() {
    return replication;
  }

  /** Whether more than the mode decides who may do what. */
  public boolean hasAcl() {
    return acl;
  }
}
