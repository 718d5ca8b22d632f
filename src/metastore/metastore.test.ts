import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { AlluxioError, Cancel, Runtime } from '../core/index.ts'
import { systemRuntime } from '../core/index.ts'
import {
  type Change,
  MemoryDisk,
  openLmdbStore,
  openMemoryStore,
  type RecordStore,
  type Table,
} from './index.ts'

const folders: string[] = []
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'metastore-'))
  folders.push(made)
  return made
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

function never(error: AlluxioError): void {
  throw error
}

const key = (parent: number, name: string): Buffer => {
  const bytes = Buffer.alloc(6 + Buffer.byteLength(name))
  bytes.writeUIntBE(parent, 0, 6)
  bytes.write(name, 6)
  return bytes
}
const put = (table: Table, k: Buffer, value: string | null): Change => ({
  table,
  key: k,
  value: value === null ? null : Buffer.from(value),
})

interface Opened {
  readonly store: RecordStore
  reopen(): Promise<RecordStore>
}

const implementations: Record<string, () => Promise<Opened>> = {
  async lmdb() {
    const options = { folder: folder(), reserveBytes: 0, onFatal: never }
    const open = () => openLmdbStore(options, { runtime: systemRuntime })
    return { store: await open(), reopen: open }
  },
  async memory() {
    const disk = new MemoryDisk({ flushMaxMs: 2 }, { runtime: systemRuntime })
    const open = () => openMemoryStore({ onFatal: never }, { runtime: systemRuntime, disk })
    return { store: await open(), reopen: open }
  },
}

describe.each(Object.keys(implementations))('%s store', (name) => {
  test('agrees with a map over random batches, before and after they are durable, and after a reopen', async () => {
    const change = fc.record({
      table: fc.constantFrom<Table>('inode', 'ttl'),
      parent: fc.integer({ min: 1, max: 3 }),
      name: fc.constantFrom('', 'a', 'b', 'bb', 'é', '\u{1f600}'),
      value: fc.option(fc.string({ maxLength: 40 }), { freq: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ changes: fc.array(change, { maxLength: 12 }), wait: fc.boolean() }), {
          maxLength: 12,
        }),
        async (batches) => {
          const opened = await implementations[name]!()
          const model = new Map<string, string>()
          for (const { changes, wait } of batches) {
            const done = opened.store.commit(changes.map((c) => put(c.table, key(c.parent, c.name), c.value)))
            for (const c of changes) {
              const id = `${c.table}\t${key(c.parent, c.name).toString('hex')}`
              if (c.value === null) model.delete(id)
              else model.set(id, c.value)
            }
            check(opened.store, model)
            if (wait) await done
          }
          check(opened.store, model)
          await opened.store.close()
          const again = await opened.reopen()
          check(again, model)
          expect(again.clusterId).toBe(opened.store.clusterId)
          expect(again.epoch).toBe(opened.store.epoch + 1)
          await again.close()
        },
      ),
      { numRuns: 25 },
    )
  })

  test('a batch is atomic and shared: what came in one turn has one promise', async () => {
    const { store } = await implementations[name]!()
    const a = store.commit([put('inode', key(1, 'a'), 'x')])
    const b = store.commit([put('inode', key(1, 'b'), 'y')])
    expect(a).toBe(b)
    const batch = store.openBatch
    store.readBatch = 0
    expect(store.get('inode', key(1, 'a'))?.toString()).toBe('x')
    expect(store.readBatch).toBe(batch)
    expect(store.durableBatch).toBeLessThan(batch)
    await a
    expect(store.durableBatch).toBe(batch)
    store.readBatch = 0
    expect(store.get('inode', key(1, 'a'))?.toString()).toBe('x')
    expect(store.readBatch).toBeLessThanOrEqual(store.durableBatch)
    await store.close()
  })

  test('a second opening is refused while the first lives', async () => {
    const { store, reopen } = await implementations[name]!()
    await expect(reopen()).rejects.toMatchObject({ code: 'CONFLICT', reason: 'ALREADY_RUNNING' })
    await store.close()
    const again = await reopen()
    await again.close()
  })

  test('contributions are sealed with the batch that they were asked for', async () => {
    const { store, reopen } = await implementations[name]!()
    store.beforeSeal((batch) => [put('command', key(batch, ''), `of ${batch}`)])
    const batch = store.openBatch
    await store.commit([put('inode', key(1, 'a'), 'x')])
    expect(store.get('command', key(batch, ''))?.toString()).toBe(`of ${batch}`)
    await store.close()
    await expect(store.commit([put('inode', key(1, 'a'), 'z')])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    const again = await reopen()
    expect(again.get('command', key(batch, ''))?.toString()).toBe(`of ${batch}`)
    expect(again.openBatch).toBe(batch + 1)
    await again.close()
  })
})

function check(store: RecordStore, model: ReadonlyMap<string, string>): void {
  for (const table of ['inode', 'ttl'] as const) {
    const expected = [...model]
      .filter(([id]) => id.startsWith(`${table}\t`))
      .map(([id, value]) => [id.slice(table.length + 1), value] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    const rows = [...store.range(table, { start: key(0, ''), end: key(9, '') })]
    expect(rows.map((row) => [row.key.toString('hex'), row.value.toString()])).toEqual(expected)
    const of2 = expected.filter(([k]) => k.startsWith('000000000002')).slice(0, 2)
    const limited = [...store.range(table, { start: key(2, ''), end: key(3, ''), limit: 2 })]
    expect(limited.map((row) => row.key.toString('hex'))).toEqual(of2.map(([k]) => k))
    for (const [k, value] of expected) expect(store.get(table, Buffer.from(k, 'hex'))?.toString()).toBe(value)
  }
  expect(store.get('inode', key(7, 'absent'))).toBeUndefined()
}

describe('group commit', () => {
  test('what arrives while a flush runs goes into the next batch', async () => {
    const disk = new MemoryDisk({ flushMinMs: 5 }, { runtime: systemRuntime })
    const store = await openMemoryStore({ onFatal: never }, { runtime: systemRuntime, disk })
    const flushesBefore = disk.flushes
    const first = store.commit([put('inode', key(1, 'a'), '1')])
    await new Promise((resolve) => setTimeout(resolve, 2))
    const later = Array.from({ length: 50 }, (_, i) => store.commit([put('inode', key(1, `n${i}`), 'x')]))
    expect(new Set(later).size).toBe(1)
    expect(later[0]).not.toBe(first)
    await Promise.all(later)
    expect(disk.flushes - flushesBefore).toBe(2)
    await store.close()
  })

  test.each([
    ['fails', { failureShare: 1 }, 'FLUSH_FAILED'],
    ['hangs', { hangShare: 1 }, 'FLUSH_TIMEOUT'],
  ])('a flush that %s is fatal once, acknowledges nothing and is not retried', async (_, faults, reason) => {
    const world = manualTimers()
    const disk = new MemoryDisk({}, { runtime: world.runtime })
    const healthy = openMemoryStore({ onFatal: never }, { runtime: world.runtime, disk })
    await world.run(10)
    await (await healthy).close()
    const faulty = new MemoryDisk(faults, { runtime: world.runtime })
    const fatal: AlluxioError[] = []
    const medium = faulty.attach()
    const { GroupCommit } = await import('./group-commit.ts')
    const store = new GroupCommit(
      { flushTimeoutMs: 1000, reserveBytes: 0, onFatal: (error) => fatal.push(error) },
      { runtime: world.runtime, medium, device: faulty.attachJournal() },
      { clusterId: 'c', epoch: 1, appliedSeq: 0 },
    )
    let acknowledged = 0
    store.commit([put('inode', key(1, 'a'), '1')]).then(
      () => acknowledged++,
      () => acknowledged++,
    )
    await world.run(5000)
    expect(fatal.map((error) => error.reason)).toEqual([reason])
    await expect(store.commit([put('inode', key(1, 'b'), '1')])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    await world.run(5000)
    expect(fatal).toHaveLength(1)
    expect(acknowledged).toBe(0)
  })

  test('a nearly full disk refuses changes, and takes them again when there is space', async () => {
    const world = manualTimers()
    const disk = new MemoryDisk({}, { runtime: world.runtime })
    const opening = openMemoryStore({ onFatal: never }, { runtime: world.runtime, disk })
    await world.run(10)
    const store = await opening
    disk.freeBytes = 0
    await expect(store.commit([put('inode', key(1, 'a'), '1')])).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    })
    expect(store.get('inode', key(1, 'a'))).toBeUndefined()
    disk.freeBytes = 1e9
    expect(store.refusal()).toBeDefined()
    await world.run(2000)
    expect(store.refusal()).toBeUndefined()
    const done = store.commit([put('inode', key(1, 'a'), '1')])
    await world.run(10)
    await done
    expect(store.get('inode', key(1, 'a'))?.toString()).toBe('1')
  })

  test('a crash takes back what was not acknowledged, or keeps the batch in flight as a whole', async () => {
    const seen = new Set<string>()
    for (let dice = 0; dice < 2; dice++) {
      const world = manualTimers(() => (dice === 0 ? 0.9 : 0.1))
      const disk = new MemoryDisk({ flushMinMs: 10 }, { runtime: world.runtime })
      const open = async () => {
        const opening = openMemoryStore({ onFatal: never }, { runtime: world.runtime, disk })
        await world.run(20)
        return opening
      }
      const store = await open()
      const first = store.commit([put('inode', key(1, 'acknowledged'), '1')])
      await world.run(20)
      await first
      void store.commit([put('inode', key(1, 'x'), '1'), put('inode', key(1, 'y'), '1')])
      await world.run(1)
      void store.commit([put('inode', key(1, 'never-flushed'), '1')])
      disk.crash()
      const again = await open()
      const names = [...again.range('inode', { start: key(1, ''), end: key(2, '') })].map((row) =>
        row.key.toString('utf8', 6),
      )
      seen.add(names.join())
    }
    expect([...seen].sort()).toEqual(['acknowledged', 'acknowledged,x,y'])
  })
})

describe('journal', () => {
  /** Commits batches of random size, dies in the middle of one, opens again; what was acknowledged must be there, batches whole. */
  test('agrees with a map over crashes at random moments, torn writes and segments that come round', async () => {
    const batchOf = fc.array(
      fc.record({
        name: fc.integer({ min: 0, max: 30 }),
        bytes: fc.oneof(fc.constant(10), fc.constant(3000), fc.constant(20_000)),
        gone: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    )
    const life = fc.record({
      batches: fc.array(batchOf, { maxLength: 25 }),
      dieAfterMs: fc.integer({ max: 40, min: 0 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(life, { minLength: 2, maxLength: 5 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (lives, dice) => {
          const world = manualTimers(() => dice.next().value as number)
          const disk = new MemoryDisk({ flushMinMs: 0, flushMaxMs: 3 }, { runtime: world.runtime })
          let model = new Map<string, string>()
          let step = 0
          for (const { batches, dieAfterMs } of lives) {
            const opening = openMemoryStore({ onFatal: never }, { runtime: world.runtime, disk })
            await world.run(100)
            const store = await opening
            expect(contentOf(store)).toEqual(model)
            // States after each batch; the disk must hold one that is not older than the last acknowledged.
            const states = [model]
            let acknowledged = 0
            for (const batch of batches) {
              const next = new Map(states.at(-1)!)
              const changes = batch.map(({ name, bytes, gone }) => {
                const value = gone ? null : `${step++} `.padEnd(bytes, 'x')
                if (value === null) next.delete(`n${name}`)
                else next.set(`n${name}`, value)
                return put('inode', key(1, `n${name}`), value)
              })
              states.push(next)
              const state = states.length - 1
              store.commit(changes).then(() => {
                acknowledged = Math.max(acknowledged, state)
              }, never)
              await world.run(1)
            }
            await world.run(dieAfterMs)
            expect(contentOf(store)).toEqual(states.at(-1))
            disk.crash()
            const again = openMemoryStore({ onFatal: never }, { runtime: world.runtime, disk })
            await world.run(100)
            const survivor = await again
            const found = contentOf(survivor)
            const at = states.findLastIndex((state) => sameMap(state, found))
            expect(at).toBeGreaterThanOrEqual(acknowledged)
            model = found
            disk.crash()
          }
        },
      ),
      { numRuns: 60, endOnFailure: true },
    )
  })

  test('a batch that is larger than a segment goes into the tables at once, in its order', async () => {
    const { store, reopen } = await implementations.memory!()
    const large = Array.from({ length: 40 }, (_, i) => put('inode', key(1, `large ${i}`), 'y'.repeat(4000)))
    void store.commit([put('inode', key(1, 'large 0'), 'before')])
    await store.durable()
    await store.commit(large)
    await store.commit([put('inode', key(1, 'large 1'), 'after')])
    const expected = contentOf(store)
    expect(expected.get('large 0')).toBe('y'.repeat(4000))
    expect(expected.get('large 1')).toBe('after')
    await store.close()
    const again = await reopen()
    expect(contentOf(again)).toEqual(expected)
    await again.close()
  })

  test('lmdb: what only the journal holds is there after a restart; a damaged journal is refused', async () => {
    const path = folder()
    const options = { folder: path, reserveBytes: 0, onFatal: never }
    const store = await openLmdbStore(options, { runtime: systemRuntime })
    for (let i = 0; i < 5; i++) await store.commit([put('inode', key(1, `n${i}`), `value ${i}`)])
    // The process dies here as far as its files tell.
    const copy = folder()
    cpSync(path, copy, { recursive: true, filter: (source) => !source.endsWith('process.lock') })
    await store.close()
    const of = (at: string) => openLmdbStore({ ...options, folder: at }, { runtime: systemRuntime })

    const damaged = folder()
    cpSync(copy, damaged, { recursive: true })
    const segment = join(damaged, 'journal.0')
    const bytes = readFileSync(segment)
    bytes[2 * 4096 + 40]! ^= 1
    writeFileSync(segment, bytes)
    await expect(of(damaged)).rejects.toMatchObject({ code: 'DATA_LOSS', reason: 'JOURNAL_DAMAGED' })

    const torn = folder()
    cpSync(copy, torn, { recursive: true })
    writeFileSync(
      join(torn, 'journal.0'),
      Buffer.concat([bytes.subarray(0, 2 * 4096), Buffer.alloc(bytes.length - 2 * 4096)]),
    )
    const short = await of(torn)
    expect([...contentOf(short).keys()]).toEqual(['n0', 'n1'])
    await short.close()

    const whole = await of(copy)
    expect([...contentOf(whole)].map(([, value]) => value)).toEqual([0, 1, 2, 3, 4].map((i) => `value ${i}`))
    await whole.close()

    rmSync(join(copy, 'journal.1'))
    await expect(of(copy)).rejects.toMatchObject({ code: 'DATA_LOSS', reason: 'JOURNAL_DAMAGED' })
  })
})

function contentOf(store: RecordStore): Map<string, string> {
  const rows = [...store.range('inode', { start: key(1, ''), end: key(2, '') })]
  return new Map(rows.map((row) => [row.key.toString('utf8', 6), row.value.toString()]))
}

function sameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([k, value]) => b.get(k) === value)
}

test('lmdb: a store of another cluster is refused', async () => {
  const path = folder()
  const open = (clusterId?: string) =>
    openLmdbStore(
      { folder: path, onFatal: never, reserveBytes: 0, ...(clusterId === undefined ? {} : { clusterId }) },
      { runtime: systemRuntime },
    )
  const store = await open('mine')
  await store.close()
  await expect(open('yours')).rejects.toMatchObject({ code: 'CONFLICT', reason: 'FOREIGN_STORE' })
  const again = await open('mine')
  await again.close()
})

/** Virtual time; promises settle between steps. */
function manualTimers(random: () => number = () => 0.5) {
  let now = 0
  let timers: { at: number; fn: () => void }[] = []
  const after = (ms: number, fn: () => void): Cancel => {
    const timer = { at: now + ms, fn }
    timers.push(timer)
    return () => {
      timers = timers.filter((other) => other !== timer)
    }
  }
  const runtime: Runtime = {
    now: () => now,
    monotonic: () => now,
    after,
    defer: (fn) => void after(0, fn),
    random,
    randomBytes: (bytes) => bytes.fill(7),
  }
  return {
    runtime,
    async run(ms: number): Promise<void> {
      const until = now + ms
      for (;;) {
        await new Promise(setImmediate)
        timers.sort((a, b) => a.at - b.at)
        const next = timers[0]
        if (next === undefined || next.at > until) break
        timers.shift()
        now = next.at
        next.fn()
      }
      now = until
    },
  }
}
