package alluxio.client;

import java.io.IOException;

/** What the gateway or a worker refused, in the words of its RemoteException. */
public final class RemoteFailure extends IOException {
  private final int status;
  private final String exception;

  RemoteFailure(int status, String exception, String message) {
    super(message);
    this.status = status;
    this.exception = exception;
  }

  /** Of HTTP. */
  public int status() {
    return status;
  }

  /** Simple name of the exception of Hadoop or Java that stands for it, such as {@code AccessControlException}. */
  public String exception() {
    return exception;
  }
}
