import { readdirSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { block, MIB, pattern, readAll, request } from '../../test/support/block-store.ts'
import { storesOfEachTest } from '../../test/support/stores-of-test.ts'
import { FileDisk, openBlock } from '../arrow/index.ts'
import { type FileId, fileOfBlock } from '../core/index.ts'

const each = storesOfEachTest()

async function open(alias: string) {
  const tiers = [{ alias, folders: [{ path: `${each.folder}/${alias}`, quotaBytes: 64 * MIB }] }]
  return (await each.open({ tiers })).store
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
    await store.stop()
    const again = await open(alias)
    expect((await readAll(again, request(TO, length, { cache: false }))).bytes.equals(bytes)).toBe(true)
    expect(again.place(FROM)).toBeUndefined()
    // It is still the only copy, of its new file.
    expect(readdirSync(`${each.folder}/${alias}`)[0]).toMatch(/sole/)
    again.markPersisted(7 as FileId)
    expect(readdirSync(`${each.folder}/${alias}`)[0]).toMatch(/sole/)
    again.markPersisted(fileOfBlock(TO))
    expect(readdirSync(`${each.folder}/${alias}`)[0]).not.toMatch(/sole/)
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
