/** Real MapReduce on YARN whose default file system is ours: jars, staging, splits and outputs all pass through a gateway. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ifAvailable } from '../../support/servers/index.ts'
import { Yarn } from '../../support/servers/yarn.ts'
import { writeWhole } from '../../support/whole-file.ts'
import { type Gateways, hadoopJar, startGateways } from '../gateways.ts'
import { hadoopProperties, textOf } from './jobs.ts'

const EXAMPLES = 'org.apache.hadoop.examples.ExampleDriver'
const ROWS = 200_000
const ROW_BYTES = 100
const WORDS = ['tree', 'stone', 'water', 'žluť', '文']

const { server, reason } = await ifAvailable(async () => Yarn.start({ jars: [await hadoopJar()] }))
const yarn = server as Yarn
let gateways: Gateways

beforeAll(async () => {
  if (reason === undefined) gateways = await startGateways()
}, 300_000)
afterAll(async () => {
  await yarn?.stop()
  await gateways?.cluster.dispose()
})

const suite = reason === undefined ? describe : describe.skip
suite.each(['webhdfs', 'alluxio'] as const)(
  `MapReduce over %s${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  (scheme) => {
    const home = `/mr-${scheme}`
    const example = (...args: string[]) =>
      yarn.run({ main: EXAMPLES, args, properties: hadoopProperties(gateways, scheme) })

    /** Of a file that stays open for as long as the jobs run, as their history does. */
    let log: Promise<Response>
    let stopLog: () => void
    beforeAll(async () => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from('first\n'))
          stopLog = () => {
            controller.enqueue(Buffer.from('last\n'))
            controller.close()
          }
        },
      })
      const url = `http://${gateways.cluster.webHdfs}/webhdfs/v1${home}/log?op=CREATE&user.name=${gateways.user}`
      const { headers } = await fetch(url, { method: 'PUT', redirect: 'manual' })
      log = fetch(headers.get('location')!, { method: 'PUT', body, duplex: 'half' } as RequestInit)
      log.catch(() => {})
    })

    test('wordcount', async () => {
      const counts = new Map<string, number>()
      for (const file of [0, 1, 2]) {
        const lines = Array.from({ length: 3000 }, (_, i) => {
          const words = [WORDS[(i + file) % WORDS.length]!, WORDS[(i * 7) % WORDS.length]!, `n${i % 97}`]
          for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
          return words.join(' ')
        })
        await writeWhole(
          gateways.fs,
          `${home}/in/f${file}`,
          Buffer.from(`${lines.join('\n')}\n`),
          'MUST_CACHE',
        )
      }
      await example('wordcount', `${home}/in`, `${home}/counts`)
      const told = (await textOf(gateways.fs, `${home}/counts/part-r-00000`)).trim().split('\n')
      const pairs = told.map((line) => line.split('\t') as [string, string])
      expect(new Map(pairs.map(([word, count]) => [word, Number(count)]))).toEqual(counts)
      expect(await gateways.fs.exists(`${home}/counts/_SUCCESS`)).toBe(true)
      expect(await gateways.fs.exists(`${home}/counts/_temporary`)).toBe(false)
    }, 240_000)

    test('TeraGen, TeraSort, TeraValidate', async () => {
      const two = ['-Dmapreduce.job.maps=2', '-Dmapreduce.job.reduces=2']
      const said = await example('teragen', ...two, String(ROWS), `${home}/tera`)
      const drawn = BigInt(/CHECKSUM=(\d+)/.exec(said)![1]!)
      await example('terasort', ...two, `${home}/tera`, `${home}/sorted`)
      await example('teravalidate', `${home}/sorted`, `${home}/report`)
      let bytes = 0
      for (const part of [0, 1])
        bytes += (await gateways.fs.getStatus(`${home}/sorted/part-r-0000${part}`)).length
      expect(bytes).toBe(ROWS * ROW_BYTES)
      const report = await textOf(gateways.fs, `${home}/report/part-r-00000`)
      // Rows out of order would have a line "error" each.
      const [, checksum] = /^checksum\t([0-9a-f]+)\n$/.exec(report) ?? [report]
      expect(BigInt(`0x${checksum}`)).toBe(drawn)
    }, 420_000)

    test('a file that was open all the while', async () => {
      stopLog()
      expect((await log).status).toBe(201)
      expect(await textOf(gateways.fs, `${home}/log`)).toBe('first\nlast\n')
    })
  },
)
