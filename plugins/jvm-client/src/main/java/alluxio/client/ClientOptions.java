package alluxio.client;

/** How a client reaches the cluster and who it is. Immutable; each {@code with} gives a changed copy. */
public final class ClientOptions {
  public static final String DEFAULT_PROXY = "127.0.0.1:39870";

  final String proxy;
  final String user;
  final String onBehalfOf;
  final String token;
  final boolean shortCircuit;
  final boolean verifyAlways;
  final int connectTimeoutMs;
  final int readTimeoutMs;
  final long retryMs;

  private ClientOptions(
      String proxy,
      String user,
      String onBehalfOf,
      String token,
      boolean shortCircuit,
      boolean verifyAlways,
      int connectTimeoutMs,
      int readTimeoutMs,
      long retryMs) {
    this.proxy = proxy;
    this.user = user;
    this.onBehalfOf = onBehalfOf;
    this.token = token;
    this.shortCircuit = shortCircuit;
    this.verifyAlways = verifyAlways;
    this.connectTimeoutMs = connectTimeoutMs;
    this.readTimeoutMs = readTimeoutMs;
    this.retryMs = retryMs;
  }

  /** @param proxy {@code host:port} of the WebHDFS gateway of a proxy */
  public static ClientOptions of(String proxy, String user) {
    return new ClientOptions(proxy, user, null, null, true, false, 5_000, 60_000, 60_000);
  }

  /** The user for whom {@code user} acts; the gateway has to allow it. Null: nobody else. */
  public ClientOptions withOnBehalfOf(String name) {
    return new ClientOptions(
        proxy, user, name, token, shortCircuit, verifyAlways, connectTimeoutMs, readTimeoutMs, retryMs);
  }

  /** A delegation token of the gateway, which then says who calls. Null: none. */
  public ClientOptions withToken(String urlString) {
    return new ClientOptions(
        proxy, user, onBehalfOf, urlString, shortCircuit, verifyAlways, connectTimeoutMs, readTimeoutMs, retryMs);
  }

  /** Whether tier files of this host are read directly. Default true. */
  public ClientOptions withShortCircuit(boolean enabled) {
    return new ClientOptions(
        proxy, user, onBehalfOf, token, enabled, verifyAlways, connectTimeoutMs, readTimeoutMs, retryMs);
  }

  /** Whether pages are verified although the seal of their file is unbroken. Default false. */
  public ClientOptions withVerifyAlways(boolean enabled) {
    return new ClientOptions(
        proxy, user, onBehalfOf, token, shortCircuit, enabled, connectTimeoutMs, readTimeoutMs, retryMs);
  }

  /** Milliseconds: to connect; between two bytes of an answer; that a gateway which is away is waited for. Default 5,000, 60,000, 60,000. */
  public ClientOptions withTimeouts(int connectMs, int readMs, long retryMs) {
    return new ClientOptions(
        proxy, user, onBehalfOf, token, shortCircuit, verifyAlways, connectMs, readMs, retryMs);
  }
}
