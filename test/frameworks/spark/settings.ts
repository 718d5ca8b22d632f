/** spark-defaults.conf of the guide, for a cluster of a test. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { guideBlock } from '../../support/guide.ts'
import { Spark, type SparkRelease } from '../../support/servers/spark.ts'
import { type Gateways, hadoopJar } from '../gateways.ts'

/** What fits a small machine, and nothing else. */
const SMALL = {
  'spark.driver.memory': '700m',
  'spark.executor.memory': '600m',
  'spark.ui.enabled': 'false',
  'spark.sql.shuffle.partitions': '4',
  'spark.driver.host': '127.0.0.1',
}

export async function sparkSettings(
  release: SparkRelease,
  { cluster, s3 }: Pick<Gateways, 'cluster' | 's3'>,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const s3a = await Spark.s3aJars(release)
  const jars = [await hadoopJar(), ...readdirSync(s3a).map((name) => join(s3a, name))].join()
  const own = Object.entries({ ...SMALL, ...more }).map(([key, value]) => `${key} ${value}`)
  return [
    guideBlock('spark', 'spark-defaults.conf', { 'plugins/dist/alluxio-hadoop.jar': jars }),
    guideBlock('spark', 'spark-s3a.conf', {
      '127.0.0.1:39999': cluster.s3,
      ACCESS_KEY_ID: s3.accessKeyId,
      SECRET_ACCESS_KEY: s3.secretAccessKey,
    }),
    ...own,
  ].join('\n')
}
