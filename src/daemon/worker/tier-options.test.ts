import { describe, expect, it } from '@jest/globals'
import { Config } from '../../core/config/index.ts'
import '../../core/options/index.ts'
import { type Machine, tiersOf } from './tier-options.ts'

const GB = 2 ** 30
const machine: Machine = {
  memoryBytes: 64 * GB,
  freeBytes: (path) => (path.startsWith('/dev/shm') ? 40 * GB : 100 * GB),
  formerQuota: () => undefined,
  uid: 7,
}
const tiers = (overrides: Record<string, string> = {}) =>
  tiersOf(Config.load({ env: { ALLUXIO_DATA: '/data', ALLUXIO_HOME: '/home' }, overrides }), 29999, machine)
const level = (n: number, key: string) => `alluxio.worker.tieredstore.level${n}.${key}`

describe('tiers of a worker', () => {
  it('is one memory tier of a quarter of the memory by default', () => {
    expect(tiers()).toEqual([
      {
        alias: 'MEM',
        durable: false,
        folders: [{ path: '/dev/shm/alluxio-7-29999', medium: 'MEM', quotaBytes: 16 * GB }],
      },
    ])
  })

  it('takes at most half of what is free', () => {
    const small = { ...machine, freeBytes: () => 2 * GB }
    const config = Config.load({ env: { ALLUXIO_DATA: '/data', ALLUXIO_HOME: '/home' } })
    expect(tiersOf(config, 1, small)[0]!.folders[0]!.quotaBytes).toBe(GB)
  })

  it('keeps the quota that a folder had when it was emptier', () => {
    const filled = { ...machine, formerQuota: () => 3 * GB }
    const config = Config.load({ env: { ALLUXIO_DATA: '/data', ALLUXIO_HOME: '/home' } })
    expect(tiersOf(config, 1, filled)[0]!.folders[0]!.quotaBytes).toBe(3 * GB)
  })

  it('obeys the size of the ramdisk', () => {
    expect(tiers({ 'alluxio.worker.ramdisk.size': '1GB' })[0]!.folders[0]!.quotaBytes).toBe(GB)
  })

  it('reads folders, media and quotas, the last of which repeat', () => {
    const [, ssd] = tiers({
      'alluxio.worker.tieredstore.levels': '2',
      [level(1, 'dirs.path')]: '/a, /b,/c',
      [level(1, 'dirs.mediumtype')]: 'NVME,SSD',
      [level(1, 'dirs.quota')]: '1GB,2GB',
    })
    expect(ssd).toEqual({
      alias: 'SSD',
      durable: true,
      folders: [
        { path: '/a', medium: 'NVME', quotaBytes: GB },
        { path: '/b', medium: 'SSD', quotaBytes: 2 * GB },
        { path: '/c', medium: 'SSD', quotaBytes: 2 * GB },
      ],
    })
  })

  it('gives disks half of their free space under the data folder', () => {
    const [first] = tiers({ [level(0, 'alias')]: 'HDD' })
    expect(first).toMatchObject({
      durable: true,
      folders: [{ path: '/data/tiers/HDD', quotaBytes: 50 * GB }],
    })
  })

  it('refuses a quota of nothing', () => {
    expect(() => tiers({ [level(0, 'dirs.quota')]: '0' })).toThrow('leaves no room')
  })
})
