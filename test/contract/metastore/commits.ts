// A process that commits to LMDB as fast as it can and prints the number of each batch that was acknowledged. It is killed.
import { systemRuntime } from '../../../src/core/index.ts'
import { openLmdbStore } from '../../../src/metastore/index.ts'

const store = await openLmdbStore(
  {
    folder: process.argv[2]!,
    reserveBytes: 0,
    onFatal: (error) => {
      process.stderr.write(`fatal ${error.reason}\n`)
      process.exit(3)
    },
  },
  { runtime: systemRuntime },
)
const key = Buffer.alloc(6)
for (let n = Number(process.argv[3] ?? 0); ; n++) {
  key.writeUIntBE(n + 1, 0, 6)
  const changes = [
    { table: 'inode' as const, key: Buffer.from(key), value: Buffer.from(`a${n}`) },
    { table: 'edge' as const, key: Buffer.from(key), value: Buffer.from(`b${n}`) },
  ]
  await store.commit(changes)
  process.stdout.write(`${n}\n`)
}
