/**
 * The cluster as a JVM sees it, with no class of Hadoop: metadata by the WebHDFS gateway's JSON, bytes from the tier files of this
 * host, else from workers by HTTP ranges.
 *
 * <p>Owns connections, maps of tier files and the order in which sources of a block are asked. Never decides where bytes are
 * cached, keeps no metadata, and retries no more than what a restart of a daemon needs. Begin with {@link alluxio.client.AlluxioClient}.
 */
package alluxio.client;
