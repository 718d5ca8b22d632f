/**
 * The RecordStore on LMDB: `node bench/micro/metastore.bench.ts [records]`. Prints one JSON object: durable commits a second by the
 * number of changes that arrive together, random gets and scanned rows a second.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRuntime } from '../../src/core/index.ts'
import { type Change, openLmdbStore } from '../../src/metastore/index.ts'

const records = Number(process.argv[2] ?? 200_000)
const PER_DIRECTORY = 1000
const folder = mkdtempSync(join(tmpdir(), 'metastore-bench-'))
const store = await openLmdbStore(
  {
    folder,
    onFatal: (error) => {
      throw error
    },
  },
  { runtime: systemRuntime },
)

function keyOf(i: number): Buffer {
  const name = `part-${i % PER_DIRECTORY}`
  const key = Buffer.alloc(6 + name.length)
  key.writeUIntBE(1 + Math.floor(i / PER_DIRECTORY), 0, 6)
  key.write(name, 6)
  return key
}
const change = (i: number): Change => ({ table: 'inode', key: keyOf(i), value: Buffer.alloc(110, i) })
const seconds = (startedMs: number): number => (performance.now() - startedMs) / 1000
const results: Record<string, number> = { records }

let startedMs = performance.now()
for (let i = 0; i < records; i += 5000) {
  await store.commit(Array.from({ length: Math.min(5000, records - i) }, (_, j) => change(i + j)))
}
results.loadedPerSecond = Math.round(records / seconds(startedMs))

for (const together of [1, 16, 256]) {
  const batches = together === 1 ? 300 : 100
  startedMs = performance.now()
  for (let b = 0; b < batches; b++) {
    const changes = Array.from({ length: together }, () => change(Math.floor(Math.random() * records)))
    await Promise.all(changes.map((one) => store.commit([one])))
  }
  results[`durablePerSecondOf${together}`] = Math.round((batches * together) / seconds(startedMs))
}

const keys = Array.from({ length: 20_000 }, () => keyOf(Math.floor(Math.random() * records)))
let sink = 0
startedMs = performance.now()
for (let i = 0; i < 200_000; i++) sink += store.get('inode', keys[i % keys.length]!)?.length ?? 0
results.getsPerSecond = Math.round(200_000 / seconds(startedMs))

let rows = 0
startedMs = performance.now()
store.scan(
  'inode',
  { start: Buffer.from([0]), end: Buffer.alloc(7, 0xff) },
  (_keys, _start, _end, _values, length) => {
    sink += length
    rows++
    return true
  },
)
results.scannedRowsPerSecond = Math.round(rows / seconds(startedMs))
results.diskBytesPerRecord = Math.round(store.stats().diskBytes / rows)
await store.close()
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify(results, undefined, 2), sink > 0 ? '' : 'nothing was read')
