package alluxio.hadoop;

import alluxio.client.RemoteFailure;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.PathIsDirectoryException;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.security.AccessControlException;

/** What the gateway names, as the exception that callers of Hadoop's FileSystem catch. */
final class RemoteExceptions {
  private RemoteExceptions() {}

  @FunctionalInterface
  interface Call<T> {
    T run() throws IOException;
  }

  static <T> T translated(Call<T> call) throws IOException {
    try {
      return call.run();
    } catch (RemoteFailure failure) {
      throw of(failure);
    }
  }

  /** @throws IllegalArgumentException or UnsupportedOperationException, where Hadoop's own clients throw these */
  static IOException of(RemoteFailure failure) {
    String message = failure.getMessage();
    switch (failure.exception()) {
      case "IllegalArgumentException":
        throw new IllegalArgumentException(message, failure);
      case "UnsupportedOperationException":
        throw new UnsupportedOperationException(message, failure);
      case "FileNotFoundException":
        return caused(new FileNotFoundException(message), failure);
      case "FileAlreadyExistsException":
        return caused(new FileAlreadyExistsException(message), failure);
      case "ParentNotDirectoryException":
        return caused(new ParentNotDirectoryException(message), failure);
      case "PathIsDirectoryException":
        return caused(new PathIsDirectoryException(message), failure);
      case "PathIsNotEmptyDirectoryException":
        return caused(new PathIsNotEmptyDirectoryException(message), failure);
      case "AccessControlException":
        return caused(new AccessControlException(message), failure);
      case "EOFException":
        return caused(new EOFException(message), failure);
      case "SocketTimeoutException":
        return caused(new SocketTimeoutException(message), failure);
      case "InterruptedIOException":
        return caused(new InterruptedIOException(message), failure);
      case "ChecksumException":
        return caused(new ChecksumException(message, 0), failure);
      default:
        return failure;
    }
  }

  private static IOException caused(IOException exception, RemoteFailure failure) {
    exception.initCause(failure);
    return exception;
  }
}
