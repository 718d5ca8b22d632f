/** Real Spark through each gateway: what it writes and reads is what it writes and reads on a local folder. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Availability, ifAvailable } from '../../support/servers/index.ts'
import { Spark, type SparkRelease } from '../../support/servers/spark.ts'
import { type Gateways, startGateways } from '../gateways.ts'
import { sparkSettings } from './settings.ts'

const SMALL_FILES = Number(process.env.ALLUXIO_TEST_SMALL_FILES ?? 2000)
const SECTIONS = [
  ...['text', 'csv', 'json_lines', 'parquet', 'overwrite', 'append', 'partitioned', 'committers', 'small'],
]
const SCHEMES = ['webhdfs', 'alluxio', 's3a'] as const
const RELEASES: readonly SparkRelease[] = ['4.0', '3.5']

interface Told {
  readonly base: string
  readonly section: string
  readonly result: Readonly<Record<string, unknown>>
}

const releases: ({ readonly release: SparkRelease } & Availability<Spark>)[] = []
for (const release of RELEASES)
  releases.push({ release, ...(await ifAvailable(() => Spark.install(release))) })
let gateways: Gateways

beforeAll(async () => {
  if (releases.every(({ reason }) => reason !== undefined)) return
  gateways = await startGateways()
  const folder = join(gateways.cluster.folder, 'ufs', 'data', 'small')
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < SMALL_FILES; i++)
    writeFileSync(join(folder, `f${i}`), `first of ${i}\nsecond of ${i}\n`)
  cpSync(folder, join(gateways.cluster.folder, 'local', 'small'), { recursive: true })
}, 900_000)
afterAll(() => gateways?.cluster.dispose())

/** Runs the program; resolves with base -> section -> what it told. */
async function workload(
  spark: Spark,
  settings: string,
  bases: Readonly<Record<string, string>>,
  sections: readonly string[],
  master?: string,
): Promise<Record<string, Record<string, Told['result']>>> {
  const out = join(gateways.cluster.folder, `told-${Object.values(bases).at(-1)!.replace(/\W/g, '-')}.json`)
  const args = Object.entries(bases).flatMap(([name, uri]) => ['--base', `${name}=${uri}`])
  await spark.submit({
    program: resolve('test/frameworks/spark/workload.py'),
    args: [...args, '--sections', sections.join(), '--out', out],
    settings,
    timeoutMs: 420_000,
    ...(master === undefined ? {} : { master }),
  })
  const { told } = JSON.parse(readFileSync(out, 'utf8')) as { told: Told[] }
  const ofBase = (name: string) => told.filter(({ base }) => base === name)
  return Object.fromEntries(
    Object.keys(bases).map((name) => [
      name,
      Object.fromEntries(ofBase(name).map(({ section, result }) => [section, result])),
    ]),
  )
}

for (const { release, server, reason } of releases) {
  const suite = reason === undefined ? describe : describe.skip
  suite(`Spark ${release}${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
    const spark = server as Spark
    let told: Awaited<ReturnType<typeof workload>>

    beforeAll(async () => {
      const folder = `spark-${release}`
      const remote = SCHEMES.map((scheme) => [scheme, `${gateways.roots[scheme]}/data/${folder}-${scheme}`])
      const bases = {
        local: `file://${gateways.cluster.folder}/local/${folder}`,
        ...Object.fromEntries(remote),
      }
      told = await workload(spark, await sparkSettings(release, gateways), bases, SECTIONS)
    }, 600_000)
    afterAll(() => spark.remove())

    test('a local folder holds what the workload says', () => {
      for (const section of SECTIONS) expect(told.local![section]).not.toHaveProperty('error')
      expect(told.local).toMatchObject({
        text: { lines: 20_000 },
        overwrite: { kept: [3000, expect.anything()], rows: [700, expect.anything()] },
        append: { rows: [3000, expect.anything()] },
        small: { first: [2 * SMALL_FILES, expect.anything()] },
      })
    })

    test.each(SCHEMES)('%s holds the same', (scheme) => {
      for (const section of SECTIONS)
        expect({ section, result: told[scheme]![section] }).toEqual({ section, result: told.local![section] })
    })

    if (release === '4.0')
      test('a standalone cluster does the same through alluxio://', async () => {
        await using cluster = await spark.standalone()
        const sections = ['parquet', 'partitioned', 'small']
        const bases = { alluxio: `${gateways.roots.alluxio}/data/standalone` }
        const settings = await sparkSettings(release, gateways)
        const { alluxio } = await workload(spark, settings, bases, sections, cluster.url)
        for (const section of sections)
          expect({ section, result: alluxio![section] }).toEqual({ section, result: told.local![section] })
      }, 300_000)
  })
}
