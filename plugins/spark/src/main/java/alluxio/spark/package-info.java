/**
 * What Spark's stable plug-in API allows: the names of executors for block locations, inputs warmed and pinned for a job, and metrics. It
 * decides nothing: places are ranked by the hint service, bytes are cached by workers.
 */
package alluxio.spark;
