/**
 * Runs a command in containers of YARN, each near its part of the inputs: {@code yarn jar alluxio-yarn.jar --input /data -- command}.
 *
 * <p>Owns the client, the application master and what they tell each other. Which part is best read where is the hint service's to say
 * ({@link alluxio.yarn.HintService}); without it the command runs anywhere. Nothing here reads data or keeps state over a job.
 */
package alluxio.yarn;
