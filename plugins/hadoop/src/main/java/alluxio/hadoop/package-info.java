/**
 * {@code alluxio://} for programs that speak Hadoop's FileSystem: {@link alluxio.hadoop.AlluxioFileSystem} and, for FileContext,
 * {@link alluxio.hadoop.AlluxioFs}. A translation of {@code alluxio.client} into Hadoop's types and exceptions, and no more.
 */
package alluxio.hadoop;
