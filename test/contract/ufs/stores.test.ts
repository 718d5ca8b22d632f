/** Every store against the suite: a local folder, memory, a third party's module, and real S3 servers. */
import { resolve } from 'node:path'
import { afterAll } from '@jest/globals'
import { Config } from '../../../src/core/config/index.ts'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { memoryFactory, openStore, StorePlugIns, type UnderStore } from '../../../src/ufs/index.ts'
import {
  type Availability,
  ifAvailable,
  type S3Server,
  startMinio,
  startS3Latency,
  startVersitygw,
} from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

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
const plugIns = StorePlugIns.of(
  Config.load({ env: { ALLUXIO_DATA: folder.path }, overrides: { 'alluxio.underfs.modules': shelf } }),
)
const open = (uri: string, options: Record<string, string> = {}): Promise<UnderStore> =>
  openStore(uri, options, {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
    factories: [memoryFactory()],
    plugIns,
  })

await ufsSuite('local folder', open(folder.path))
const shelved = await open('shelf://suite', { 'shelf.root': folder.path })
await shelved.mkdir('')
await ufsSuite('module of a third party', Promise.resolve(shelved))
await ufsSuite('memory', open('mem://suite/'))
for (const [name, { server, reason }] of Object.entries(servers)) {
  if (server !== undefined)
    await ufsSuite(name, open(`s3://${server.bucket}/below/a prefix`, server.options()))
  else skippedUfsSuite(name, reason)
}
