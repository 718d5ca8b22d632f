/** DistCp between a real HDFS and ours, both ways; what is there already is not copied again. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { patternBytes } from '../../support/cluster.ts'
import { type HdfsServer, startHdfs } from '../../support/servers/hdfs.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { Yarn } from '../../support/servers/yarn.ts'
import { readWhole, writeWhole } from '../../support/whole-file.ts'
import { type Gateways, hadoopJar, startGateways } from '../gateways.ts'
import { hadoopProperties } from './jobs.ts'

const FILES: Readonly<Record<string, number>> = {
  a: 0,
  'b c%d': 1,
  'deep/er/large': 9_000_000,
  'deep/ž 文': 70_000,
}

const { server, reason } = await ifAvailable(async () => {
  const yarn = await Yarn.start({ jars: [await hadoopJar()] })
  return { yarn, hdfs: await startHdfs() }
})
const { yarn, hdfs } = server as { yarn: Yarn; hdfs: HdfsServer }
let gateways: Gateways

beforeAll(async () => {
  if (reason === undefined) gateways = await startGateways()
}, 300_000)
afterAll(async () => {
  await yarn?.stop()
  await hdfs?.stop()
  await gateways?.cluster.dispose()
})

const suite = reason === undefined ? describe : describe.skip
suite.each(['webhdfs', 'alluxio'] as const)(
  `DistCp over %s${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  (scheme) => {
    /** @returns how many files were copied and how many were left alone */
    const distCp = async (...args: string[]): Promise<{ copied: number; skipped: number }> => {
      const properties = hadoopProperties(gateways, scheme)
      const said = await yarn.run({
        main: 'org.apache.hadoop.tools.DistCp',
        args: ['-m', '2', ...args],
        properties,
      })
      const counter = (name: string) => Number(new RegExp(`Files ${name}=(\\d+)`, 'i').exec(said)?.[1] ?? 0)
      return { copied: counter('Copied'), skipped: counter('Skipped') }
    }
    const count = Object.keys(FILES).length
    const copies = `${hdfs?.uri}/copies-${scheme}`

    test('to HDFS, again, back, again', async () => {
      const { fs, roots } = gateways
      const home = `${roots[scheme]}/distcp-${scheme}`
      for (const [name, length] of Object.entries(FILES))
        await writeWhole(fs, `/distcp-${scheme}/from/${name}`, patternBytes(length, length), 'MUST_CACHE')
      expect(await distCp('-update', '-pb', `${home}/from`, copies)).toMatchObject({ copied: count })
      expect(await distCp('-update', '-pb', `${home}/from`, copies)).toEqual({ copied: 0, skipped: count })
      expect(await distCp('-update', '-pb', copies, `${home}/back`)).toMatchObject({ copied: count })
      expect(await distCp('-update', '-pb', copies, `${home}/back`)).toEqual({ copied: 0, skipped: count })
      for (const [name, length] of Object.entries(FILES))
        expect(
          (await readWhole(fs, `/distcp-${scheme}/back/${name}`)).equals(patternBytes(length, length)),
        ).toBe(true)
    }, 420_000)
  },
)
