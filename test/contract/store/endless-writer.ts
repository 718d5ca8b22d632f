/** Writes blocks into a store until it is killed: `endless-writer.ts FOLDER ROUND`. */
import { FileDisk } from '../../../src/arrow/index.ts'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openBlockStore } from '../../../src/store/index.ts'
import { block, MIB, pattern, readAll, request, Source } from '../../support/block-store.ts'

const [path, round] = process.argv.slice(2)
const tiers = [{ alias: 'MEM', folders: [{ path: path!, quotaBytes: 2048 * MIB }] }]
const modules = { disk: new FileDisk(), runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
const store = await openBlockStore({ tiers, extentBytes: 65536 }, modules)
await store.start()
process.stdout.write('writing\n')
for (let n = 0; ; n++) {
  const id = block(Number(round) * 100_000 + n + 1)
  const length = 1 + ((n * 7919) % (2 * MIB))
  if (n % 3 === 0) {
    const source = new Source(id, length)
    await readAll(store, request(id, length, { fetch: source.fetch }))
  } else {
    const writer = await store.write(id, { sizeHint: length, soleCopy: true })
    const bytes = pattern(id, length)
    for (let at = 0; at < length; at += 50_000) {
      await writer.append(bytes.subarray(at, at + 50_000))
      if (at % 200_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await writer.commit()
  }
}
