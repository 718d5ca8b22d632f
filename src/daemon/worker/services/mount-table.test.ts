import { describe, expect, it } from '@jest/globals'
import { silentLog } from '../../../core/index.ts'
import type { UnderStore } from '../../../ufs/index.ts'
import { type Mount, MountTable } from './mount-table.ts'

const mount = (mountId: number): Mount => ({
  mountId,
  path: `/m${mountId}`,
  uri: `file:///m${mountId}`,
  readOnly: false,
  shared: false,
  options: {},
})

function table(initial: Mount[]) {
  const master = { mounts: initial, version: 1, asked: 0 }
  const forgotten: number[] = []
  const mounts = new MountTable({
    fetch: async () => {
      master.asked++
      return { mounts: master.mounts, version: master.version }
    },
    stores: {
      get: async ({ mountId }) => ({ scheme: `s${mountId}` }) as UnderStore,
      forget: async (mountId) => {
        forgotten.push(mountId)
      },
    },
    log: silentLog,
  })
  return { master, forgotten, mounts }
}

describe('the mount table of a worker', () => {
  it('asks once for many, and again for a mount that it does not know', async () => {
    const { master, mounts } = table([mount(1)])
    await Promise.all([mounts.store(1), mounts.store(1), mounts.store(1)])
    expect(master.asked).toBe(1)
    expect(mounts.opened(1)?.scheme).toBe('s1')
    master.mounts = [mount(1), mount(2)]
    expect((await mounts.store(2)).scheme).toBe('s2')
    await expect(mounts.store(3)).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'MOUNT_UNKNOWN' })
  })

  it('forgets what was unmounted when the version changes, and only then asks', async () => {
    const { master, forgotten, mounts } = table([mount(1), mount(2)])
    await mounts.refresh()
    mounts.noticed(1)
    expect(master.asked).toBe(1)
    Object.assign(master, { mounts: [mount(2)], version: 2 })
    mounts.noticed(2)
    await mounts.refresh()
    expect([master.asked, forgotten]).toEqual([2, [1]])
    expect(mounts.opened(1)).toBeUndefined()
  })
})
