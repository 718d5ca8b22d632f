/** The cases that upstream runs for S3 only (S3ASpecificOperations), by their names. They hold for any store. */
import { equal, exists, expectBytes, get, listAll, pattern, put, shape, type UfsTestCase } from './runner.ts'

export const OBJECT_CASES: readonly UfsTestCase[] = [
  {
    name: 'createEmptyFile',
    async run({ store, root }) {
      await put(store, `${root}/empty`, new Uint8Array(0))
      equal((await store.status(`${root}/empty`)).length, 0, 'length')
    },
  },
  {
    name: 'createFileLessThanOnePart',
    async run({ store, root }) {
      const bytes = pattern(2 ** 20 + 1)
      await put(store, `${root}/file`, bytes)
      await expectBytes(await get(store, `${root}/file`), bytes, 'content')
    },
  },
  {
    name: 'createMultipartFile',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes + 1, 9)
      // Odd chunks, so that parts begin and end inside them.
      await put(store, `${root}/file`, bytes, {}, 1_000_003)
      await expectBytes(await get(store, `${root}/file`), bytes, 'content')
    },
  },
  {
    name: 'createAndAbortMultipartFile',
    async run({ store, root, largeBytes }) {
      const writer = await store.create(`${root}/file`)
      const chunk = pattern(2 ** 20)
      for (let written = 0; written < largeBytes; written += chunk.length) await writer.write(chunk)
      await writer.abort()
      equal(await exists(store, `${root}/file`), false, 'the file exists after abort')
      equal(shape(await listAll(store, root), root), [], 'listing after abort')
    },
  },
]
