/** Every store against the suite: a local folder, memory, a third party's module, and real S3 servers. */
import { resolve } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { Config } from '../../../src/core/config/index.ts'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import {
  memoryFactory,
  openStore,
  runUfsTests,
  StorePlugIns,
  type UfsTestResult,
  type UnderStore,
  ufsTestNames,
  ufsTestSkipReason,
} from '../../../src/ufs/index.ts'
import {
  type Availability,
  ifAvailable,
  type S3Server,
  startMinio,
  startS3Latency,
  startVersitygw,
} from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'

const folder = scratchFolder('ufs-suite')
const servers: Readonly<Record<string, Availability<S3Server>>> = {
  MinIO: await ifAvailable(startMinio),
  versitygw: await ifAvailable(startVersitygw),
  's3-latency': await ifAvailable(startS3Latency),
}
afterAll(async () => {
  folder.remove()
  for (const { server } of Object.values(servers)) await server?.stop()
})

const shelf = `shelf=${resolve('test/support/shelf-store/shelf.mjs')}`
const plugIns = StorePlugIns.of(Config.load({ env: {}, overrides: { 'alluxio.underfs.modules': shelf } }))
const open = (uri: string, options: Record<string, string> = {}): Promise<UnderStore> =>
  openStore(uri, options, {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
    factories: [memoryFactory()],
    plugIns,
  })

/** Runs the suite once and reports each case as a test of its own. */
async function suite(name: string, opening: Promise<UnderStore>): Promise<void> {
  const store = await opening
  describe(name, () => {
    const results = new Map<string, UfsTestResult>()
    let running: Promise<void> | undefined
    const run = async () => {
      await runUfsTests(store, { onResult: (result) => results.set(result.name, result) })
      const left = (await store.list('')).entries.filter((entry) =>
        entry.path.startsWith('alluxio-ufs-tests'),
      )
      await store.close()
      expect(left).toEqual([])
    }
    for (const caseName of ufsTestNames()) {
      const reason = ufsTestSkipReason(caseName, store)
      // A case that asks for what the store says it cannot do is no test of this store.
      if (reason === undefined) {
        test(caseName, async () => {
          running ??= run()
          await running
          const result = results.get(caseName)
          if (result?.error !== undefined) throw result.error
          expect(result?.outcome).toBe('passed')
        }, 300_000)
      }
    }
  })
}

await suite('local folder', open(folder.path))
const shelved = await open('shelf://suite', { 'shelf.root': folder.path })
await shelved.mkdir('')
await suite('module of a third party', Promise.resolve(shelved))
await suite('memory', open('mem://suite/'))
for (const [name, { server, reason }] of Object.entries(servers)) {
  if (server !== undefined) await suite(name, open(`s3://${server.bucket}/below/a prefix`, server.options()))
  else describe.skip(`${name} (skipped: ${reason})`, () => test.each(ufsTestNames())('%s', () => {}))
}
