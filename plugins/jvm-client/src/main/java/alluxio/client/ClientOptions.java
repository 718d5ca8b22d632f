package alluxio.client;

/** How a client reaches the cluster and who it is. Immutable; each {@code with} gives a changed copy. */
public final class ClientOptions implements Cloneable {
  public static final String DEFAULT_PROXY = "127.0.0.1:39870";
  public static final int DEFAULT_HINT_TIMEOUT_MS = 1_000;

  final String proxy;
  final String user;
  String onBehalfOf;
  String token;
  boolean shortCircuit = true;
  boolean verifyAlways;
  int connectTimeoutMs = 5_000;
  int readTimeoutMs = 60_000;
  long retryMs = 60_000;
  String hints;
  int hintTimeoutMs = DEFAULT_HINT_TIMEOUT_MS;

  private ClientOptions(String proxy, String user) {
    this.proxy = proxy;
    this.user = user;
    this.hints = proxy;
  }

  /** @param proxy {@code host:port} of the WebHDFS gateway of a proxy */
  public static ClientOptions of(String proxy, String user) {
    return new ClientOptions(proxy, user);
  }

  private ClientOptions copy() {
    try {
      return (ClientOptions) clone();
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  /** The user for whom {@code user} acts; the gateway has to allow it. Null: nobody else. */
  public ClientOptions withOnBehalfOf(String name) {
    ClientOptions copy = copy();
    copy.onBehalfOf = name;
    return copy;
  }

  /** A delegation token of the gateway, which then says who calls. Null: none. */
  public ClientOptions withToken(String urlString) {
    ClientOptions copy = copy();
    copy.token = urlString;
    return copy;
  }

  /** Whether tier files of this host are read directly. Default true. */
  public ClientOptions withShortCircuit(boolean enabled) {
    ClientOptions copy = copy();
    copy.shortCircuit = enabled;
    return copy;
  }

  /** Whether pages are verified although the seal of their file is unbroken. Default false. */
  public ClientOptions withVerifyAlways(boolean enabled) {
    ClientOptions copy = copy();
    copy.verifyAlways = enabled;
    return copy;
  }

  /** Milliseconds: to connect; between two bytes of an answer; that a gateway which is away is waited for. Default 5,000, 60,000, 60,000. */
  public ClientOptions withTimeouts(int connectMs, int readMs, long retryMs) {
    ClientOptions copy = copy();
    copy.connectTimeoutMs = connectMs;
    copy.readTimeoutMs = readMs;
    copy.retryMs = retryMs;
    return copy;
  }

  /**
   * Where places of blocks are asked for, and how long an answer is waited for, milliseconds. Default: the proxy, 1,000.
   *
   * @param address {@code host:port} of the proxy or of the master's web port; null: the block map says it
   */
  public ClientOptions withHints(String address, int timeoutMs) {
    ClientOptions copy = copy();
    copy.hints = address;
    copy.hintTimeoutMs = timeoutMs;
    return copy;
  }
}
