import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  block,
  MIB,
  openStore,
  pattern,
  readAll,
  request,
  temporaryFolder,
} from '../../test/support/block-store.ts'
import { FileDisk, openBlock } from '../arrow/index.ts'
import { type FileId, fileOfBlock } from '../core/index.ts'
import type { BlockStore } from './index.ts'

let folder: ReturnType<typeof temporaryFolder>
const opened: BlockStore[] = []
beforeEach(() => {
  folder = temporaryFolder('/dev/shm')
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.stop()
  folder[Symbol.dispose]()
})

async function open(alias: string) {
  const tiers = [{ alias, folders: [{ path: `${folder.path}/${alias}`, quotaBytes: 64 * MIB }] }]
  const made = await openStore({ tiers })
  opened.push(made.store)
  return made.store
}

const [FROM, TO] = [block(7), block(9, 3)]

describe.each(['MEM', 'SSD'])('a block that becomes another one, %s', (alias) => {
  test.each([100, 70_001])('of %i bytes is that one in every way, also after a restart', async (length) => {
    const store = await open(alias)
    const bytes = pattern(FROM, length)
    await store.writeSmall(FROM, bytes, { soleCopy: true })
    const mapped = await store.readAt(request(FROM, length))
    store.changes()
    const used = store.usage()[0]!.usedBytes
    expect(await store.adopt(FROM, TO, length)).toEqual({ tier: alias })
    expect(store.changes()).toEqual({ removed: [FROM], added: [{ id: TO, tier: 0 }], lost: [] })
    expect(store.usage()[0]!.usedBytes).toBe(used)
    expect(store.place(FROM)).toBeUndefined()
    expect((await readAll(store, request(TO, length, { cache: false }))).bytes.equals(bytes)).toBe(true)
    // Whoever had read it keeps what he has.
    expect(Buffer.compare(mapped.bytes, bytes)).toBe(0)
    // The answer may get lost.
    expect(await store.adopt(FROM, TO, length)).toEqual({ tier: alias })
    const path = store.localPath(TO, { promote: false })!.path
    const handle = openBlock(new FileDisk(), path, { trustSeal: true })
    expect([handle.metadata.blockId, handle.metadata.fileId, handle.trusted]).toEqual([TO, 9, true])
    handle.close()
    await opened.pop()!.stop()
    const again = await open(alias)
    expect((await readAll(again, request(TO, length, { cache: false }))).bytes.equals(bytes)).toBe(true)
    expect(again.place(FROM)).toBeUndefined()
    // It is still the only copy, of its new file.
    expect(readdirSync(`${folder.path}/${alias}`)[0]).toMatch(/sole/)
    again.markPersisted(7 as FileId)
    expect(readdirSync(`${folder.path}/${alias}`)[0]).toMatch(/sole/)
    again.markPersisted(fileOfBlock(TO))
    expect(readdirSync(`${folder.path}/${alias}`)[0]).not.toMatch(/sole/)
  })

  test('is refused when it is not here, is another length, or the other one is here', async () => {
    const store = await open(alias)
    await store.writeSmall(FROM, pattern(FROM, 100), { soleCopy: true })
    await expect(store.adopt(block(8), TO, 100)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.adopt(FROM, TO, 99)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await store.writeSmall(TO, pattern(TO, 100), { soleCopy: true })
    await expect(store.adopt(FROM, TO, 100)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    for (const id of [FROM, TO]) {
      const { bytes } = await readAll(store, request(id, 100, { cache: false }))
      expect(bytes.equals(pattern(id, 100))).toBe(true)
    }
  })
})
