import { createHash } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { Md5Thread } from './md5.ts'

test('the thread digests several bodies at once, of any size', async () => {
  const thread = new Md5Thread()
  try {
    const sizes = [0, 1, 2 ** 20, 2 ** 20 + 1, 25 * 2 ** 20]
    const digests = sizes.map(async (size, seed) => {
      const md5 = thread.begin()
      const expected = createHash('md5')
      const chunk = Buffer.alloc(64 * 1024 + 7, seed)
      for (let sent = 0; sent < size; ) {
        const part = chunk.subarray(0, Math.min(chunk.length, size - sent))
        expected.update(part)
        await md5.update(part)
        sent += part.length
      }
      expect((await md5.digest()).equals(expected.digest())).toBe(true)
    })
    const given = thread.begin()
    await given.update(Buffer.alloc(3 * 2 ** 20))
    given.abandon()
    await Promise.all(digests)
  } finally {
    await thread.stop()
  }
})
