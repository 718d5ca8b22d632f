import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import {
  block,
  hastened,
  MIB,
  pattern,
  readAll,
  request,
  Source,
  until,
} from '../../test/support/block-store.ts'
import { storesOfEachTest } from '../../test/support/stores-of-test.ts'
import type { BlockStoreOptions } from './index.ts'

const LENGTH = 200_000
const each = storesOfEachTest()

async function open(scrub: BlockStoreOptions['scrub'], alias = 'SSD', factor = 200) {
  const options = {
    tiers: [{ alias, folders: [{ path: `${each.folder}/t`, quotaBytes: 256 * MIB }] }],
    ...(scrub === undefined ? {} : { scrub }),
  }
  const made = await each.open(options, { runtime: hastened(factor) })
  return made
}

/** Rot: a bit turns over, and no clock tells. */
function rot(file: number): void {
  const name = readdirSync(`${each.folder}/t`).find((each) => each.startsWith(`b${block(file)}_`))!
  const path = `${each.folder}/t/${name}`
  const { atime, mtimeMs } = statSync(path)
  const bytes = readFileSync(path)
  bytes[4096 + 150_000]! ^= 4
  writeFileSync(path, bytes)
  utimesSync(path, atime, mtimeMs / 1000)
  expect(statSync(path).mtimeMs).toBe(mtimeMs)
}

test.each(['MEM', 'SSD'])(
  'rot in a block that was verified is found, and the block fetched anew: %s',
  async (alias) => {
    const { store, metrics, log } = await open({ bytesPerSecond: 16 * MIB, intervalMs: 200_000 }, alias)
    await store.writeSmall(block(1), pattern(1, LENGTH), { soleCopy: false })
    await store.writeSmall(block(2), pattern(2, LENGTH), { soleCopy: false })
    await readAll(store, request(block(1), LENGTH))
    rot(1)
    // This is what the scrubber is for: the page was good when it was first read.
    const served = await readAll(store, request(block(1), LENGTH))
    expect(served.bytes.equals(pattern(1, LENGTH))).toBe(false)
    await until(() => store.quarantined === 1, 'found')
    expect(log).toContain('block is damaged and was moved aside')
    const source = new Source(1, LENGTH)
    const read = await readAll(store, request(block(1), LENGTH, { fetch: source.fetch }))
    expect(read.bytes.equals(pattern(1, LENGTH))).toBe(true)
    expect(source.fetchedBytes).toBe(LENGTH)
    // The sound block next to it has its turn too.
    await until(() => metrics.values().alluxio_worker_scrubbed_bytes_total! >= LENGTH, 'scrubbed')
    expect(metrics.values()).toMatchObject({
      alluxio_worker_scrub_errors_total: 1,
      alluxio_worker_data_loss_blocks_total: 0,
    })
  },
)

test('rot in the only copy is a loss of data, and is told as one', async () => {
  const { store, metrics, log } = await open({ bytesPerSecond: 16 * MIB, intervalMs: 1_000 })
  await store.writeSmall(block(1), pattern(1, LENGTH), { soleCopy: true })
  store.changes()
  rot(1)
  await until(() => store.quarantined === 1, 'found')
  expect(store.changes()).toEqual({ removed: [block(1)], added: [], lost: [block(1)] })
  expect(store.changes().lost).toEqual([])
  expect(log).toContain('DATA_LOSS: the only copy of a block is damaged; it was moved aside')
  expect(metrics.values().alluxio_worker_data_loss_blocks_total).toBe(1)
  expect(readdirSync(`${each.folder}/t/quarantine`)).toHaveLength(1)
})

test('keeps to its rate and its interval, and says how old the oldest check is', async () => {
  const { store, metrics } = await open({ bytesPerSecond: MIB, intervalMs: 240_000 })
  for (let file = 1; file <= 40; file++) {
    await store.writeSmall(block(file), pattern(file, LENGTH), { soleCopy: false })
  }
  const scrubbed = () => metrics.values().alluxio_worker_scrubbed_bytes_total!
  const age = () => metrics.values().alluxio_worker_scrub_oldest_check_age_seconds!
  // Fresh blocks are as good as checked.
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(scrubbed()).toBe(0)
  await until(() => scrubbed() > 0, 'begun')
  const begun = performance.now()
  const before = scrubbed()
  expect(age()).toBeGreaterThan(200)
  await until(() => scrubbed() === 40 * LENGTH, 'all checked')
  const seconds = ((performance.now() - begun) / 1000) * 200
  expect((40 * LENGTH - before) / seconds).toBeLessThan(1.3 * MIB)
  await until(() => age() < 200, 'younger again')
})

test('after a restart every block is due', async () => {
  const first = await open(undefined)
  for (let file = 1; file <= 8; file++) {
    await first.store.writeSmall(block(file), pattern(file, LENGTH), { soleCopy: false })
  }
  expect(first.metrics.values().alluxio_worker_scrubbed_bytes_total).toBe(0)
  await first.store.stop()
  const { store, metrics } = await open({ bytesPerSecond: 64 * MIB, intervalMs: 86_400_000 })
  await until(() => metrics.values().alluxio_worker_scrubbed_bytes_total === 8 * LENGTH, 'all checked')
  expect(store.blocks).toBe(8)
})

test('waits for readers, but not for ever', async () => {
  const { store, metrics } = await open({ bytesPerSecond: 64 * MIB, intervalMs: 0 }, 'SSD', 20)
  await store.writeSmall(block(1), pattern(1, LENGTH), { soleCopy: false })
  await until(() => metrics.values().alluxio_worker_scrubbed_bytes_total! > 0, 'running')
  const gate = Promise.withResolvers<void>()
  const source = new Source(2, 4 * MIB)
  source.gate = () => gate.promise
  const reading = readAll(store, request(block(2), 4 * MIB, { fetch: source.fetch }))
  await until(() => store.inProgress > 0, 'a read')
  const before = metrics.values().alluxio_worker_scrubbed_bytes_total!
  const began = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 500))
  const storeSeconds = ((performance.now() - began) / 1000) * 20
  const during = metrics.values().alluxio_worker_scrubbed_bytes_total! - before
  gate.resolve()
  await reading
  // About one chunk a second of the store's time.
  expect(during).toBeGreaterThan(0)
  expect(during).toBeLessThanOrEqual((1.3 * storeSeconds + 1) * LENGTH)
})
