/** What jobs of Hadoop need to know of a cluster of ours. */
import type { FileSystem } from '../../../src/client/index.ts'
import { guideBlock } from '../../support/guide.ts'
import { readWhole } from '../../support/whole-file.ts'
import type { Gateways } from '../gateways.ts'

/** core-site.xml of the guide, with the scheme as default file system. */
export function hadoopProperties(
  { cluster }: Gateways,
  scheme: 'webhdfs' | 'alluxio',
): Readonly<Record<string, string>> {
  const text = guideBlock('mapreduce', 'core-site.xml', { '127.0.0.1:39870': cluster.webHdfs })
  const pairs = [...text.matchAll(/<name>(.*?)<\/name>\s*<value>(.*?)<\/value>/gs)]
  const properties = Object.fromEntries(pairs.map(([, name, value]) => [name!, value!]))
  return { ...properties, 'fs.defaultFS': `${scheme}://${cluster.webHdfs}` }
}

export async function textOf(fs: FileSystem, path: string): Promise<string> {
  return (await readWhole(fs, path)).toString()
}
