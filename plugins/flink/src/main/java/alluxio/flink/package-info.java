/**
 * {@code alluxio://} for Flink, as a plug-in in a folder of its own under Flink's {@code plugins/}.
 *
 * <p>Owns the translation between Flink's FileSystem and {@link alluxio.client}, and the files in which a sink's bytes wait for their
 * checkpoint ({@link alluxio.flink.PartFiles}); for jobs that ask for it, which reader gets which split ({@link
 * alluxio.flink.AlluxioSplitAssigner}). Never caches, places or reads ahead. Why the writer is made this way:
 * docs/decisions/0007-flink-writer.md.
 */
package alluxio.flink;
