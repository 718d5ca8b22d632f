/**
 * A store that others change at any moment, that is slow and fails: what is shown of it is never older than the contract of
 * its path allows. The clock is virtual; looks at the store take their time while changes go on.
 */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { fastRuntime, makeWorld, ROOT } from '../../../../test/support/namespace.ts'
import { Config } from '../../../core/config/index.ts'
import {
  AlluxioError,
  CONSISTENCY_KEY,
  FLAG_STALE,
  isAlluxioError,
  Metrics,
  type Runtime,
  readEntries,
  silentLog,
  sleep,
} from '../../../core/index.ts'
import type { Call } from '../../../rpc/index.ts'
import { MemoryStore, MemoryTree, type UnderStore } from '../../../ufs/index.ts'
import { UnderStores } from '../../under-stores.ts'
import { FsReads } from './fs-reads.ts'
import { Looks } from './looks.ts'
import { MetadataLoader } from './metadata-loader.ts'
import { PathLocks } from './path-locks.ts'
import { WorkerRegistry } from './worker-registry.ts'

const FILES = ['/a', '/d/b', '/d/c', '/d/e/f'] as const
const FOLDERS = ['/', '/d', '/d/e'] as const
type File = (typeof FILES)[number]
const CALL = { peer: { user: 'root' } } as Call

/** A clock that moves when it is told to; timers fire on the way. */
class Clock {
  nowMs = 1_700_000_000_000
  #timers: { atMs: number; fn: () => void }[] = []

  readonly runtime: Runtime = {
    ...fastRuntime(7),
    now: () => this.nowMs,
    monotonic: () => this.nowMs,
    after: (ms, fn) => {
      const timer = { atMs: this.nowMs + ms, fn }
      this.#timers.push(timer)
      return () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      }
    },
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (;;) {
      await turns()
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      due.fn()
    }
    this.nowMs = endMs
    await turns()
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** What the store had at a path, and from when on. */
interface Version {
  readonly fromMs: number
  readonly fingerprint: string | undefined
}

class Source {
  readonly store: UnderStore
  readonly #clock: Clock
  readonly #memory: MemoryStore
  readonly #history = new Map<string, Version[]>(FILES.map((path) => [path, []]))
  latencyMs = 0
  failing = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#memory = new MemoryStore({}, { runtime: clock.runtime, tree: new MemoryTree() })
    for (const path of FILES) this.#note(path, undefined)
    this.store = new Proxy<UnderStore>(this.#memory, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? this.#slowly(value.bind(target)) : value
      },
    })
  }

  #slowly(call: (...args: unknown[]) => Promise<unknown>) {
    return async (...args: unknown[]) => {
      const half = this.latencyMs / 2
      if (half > 0) await sleep(this.#clock.runtime, half)
      if (this.failing) throw new AlluxioError('UNAVAILABLE', 'the store is down')
      const result = await call(...args)
      if (half > 0) await sleep(this.#clock.runtime, half)
      return result
    }
  }

  #note(path: File, fingerprint: string | undefined): void {
    this.#history.get(path)!.push({ fromMs: this.#clock.nowMs, fingerprint })
  }

  async put(path: File, length: number): Promise<void> {
    const writer = await this.#memory.create(path.slice(1))
    await writer.write(Buffer.alloc(length, 1))
    this.#note(path, (await writer.close()).fingerprint)
  }

  async remove(path: string): Promise<void> {
    const gone = await this.#memory.delete(path.slice(1), { recursive: true }).then(
      () => true,
      () => false,
    )
    if (!gone) return
    for (const file of FILES) {
      const last = this.#history.get(file)!.at(-1)!
      if (`${file}/`.startsWith(`${path}/`) && last.fingerprint !== undefined) this.#note(file, undefined)
    }
  }

  /** Whether the store had this at some moment since `sinceMs`. */
  had(path: File, fingerprint: string | undefined, sinceMs: number): boolean {
    const versions = this.#history.get(path)!
    return versions.some(
      (version, i) =>
        version.fingerprint === fingerprint &&
        (versions[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY) >= sinceMs,
    )
  }

  /** Whether it had a file there, or none, at some moment since `sinceMs`. */
  held(path: File, there: boolean, sinceMs: number): boolean {
    const versions = this.#history.get(path)!
    return versions.some(
      ({ fingerprint }, i) =>
        (fingerprint !== undefined) === there &&
        (versions[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY) >= sinceMs,
    )
  }

  now(path: File): string | undefined {
    return this.#history.get(path)!.at(-1)!.fingerprint
  }
}

async function worldWith(contract: string) {
  const clock = new Clock()
  const source = new Source(clock)
  const { runtime } = clock
  const { namespace, blocks } = await makeWorld({}, { ...fastRuntime(3), now: runtime.now })
  const metrics = new Metrics()
  const log = silentLog
  const config = Config.load({ env: {} })
  const stores = new UnderStores({ runtime, log, metrics, config, openStore: async () => source.store })
  const loader = new MetadataLoader(
    { blockSizeBytes: 1024, absentMs: 1000 },
    {
      namespace,
      stores,
      runtime,
      log,
      metrics,
      busy: () => false,
      locks: new PathLocks(),
      looks: new Looks(),
    },
  )
  const workers = new WorkerRegistry({ timeoutMs: 1000 }, { runtime, log, onLost() {} })
  const callers = { of: () => ROOT } as never
  const reads = new FsReads({ answerMs: 5000 }, { namespace, blocks, loader, workers, callers, runtime })
  await namespace.mounts.setPathConf({ path: '/', set: { [CONSISTENCY_KEY]: contract }, remove: [] }, ROOT)
  return { clock, source, reads, namespace, loader }
}

type World = Awaited<ReturnType<typeof worldWith>>

/** Longest that an open or a look may be behind, ms; Infinity: no limit. */
interface Limits {
  readonly open: number
  readonly look: number
  /** A look that is not checked because the store fails shows what is known, marked. */
  readonly tolerant: boolean
}

interface Seen {
  readonly path: File
  readonly fingerprint: string | undefined
  readonly stale: boolean
}

/** Runs a read; resolves when what it showed has been judged. */
async function judged(
  { clock, source }: World,
  what: string,
  limitMs: number,
  tolerant: boolean,
  read: () => unknown,
): Promise<void> {
  const sinceMs = clock.nowMs - limitMs
  let seen: readonly Seen[]
  try {
    seen = (await read()) as readonly Seen[]
  } catch (error) {
    if (isAlluxioError(error, 'UNAVAILABLE')) return
    throw error
  }
  for (const { path, fingerprint, stale } of seen) {
    if (stale && tolerant) continue
    if (!source.had(path, fingerprint, sinceMs))
      throw new Error(`${what} showed ${path} as ${fingerprint}, which it has not been for ${limitMs} ms`)
  }
}

async function orAbsent<T>(ask: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

const open = (world: World, path: File, limits: Limits) =>
  judged(world, 'open', limits.open, false, async () => {
    const answer = await orAbsent(() => world.reads.open({ path }, CALL))
    return [
      { path, fingerprint: (answer as { source?: Source2 } | undefined)?.source?.fingerprint, stale: false },
    ]
  })
interface Source2 {
  fingerprint?: string
}

const look = (world: World, path: File, limits: Limits) =>
  judged(world, 'status', limits.look, limits.tolerant, async () => {
    const answer = await orAbsent(() => world.reads.getStatus({ path }, CALL))
    if (answer === undefined) return [{ path, fingerprint: undefined, stale: false }]
    const { record } = readEntries((answer as unknown as { entry: Buffer }).entry)[0]!
    return [{ path, fingerprint: record.tail.fp, stale: (record.flags & FLAG_STALE) !== 0 }]
  })

const list = (world: World, folder: string, limits: Limits) =>
  judged(world, 'list', limits.look, limits.tolerant, async () => {
    const inside = FILES.filter(
      (path) => path.slice(0, path.lastIndexOf('/')) === (folder === '/' ? '' : folder),
    )
    const answer = await orAbsent(() => world.reads.list({ path: folder, limit: 100 }, CALL))
    const { page, stale = false } = (answer ?? { page: Buffer.alloc(0) }) as { page: Buffer; stale?: boolean }
    const entries = new Map(readEntries(page).map(({ name, record }) => [name, record]))
    return inside.map((path) => {
      const record = entries.get(path.slice(path.lastIndexOf('/') + 1))
      return {
        path,
        fingerprint: record?.tail.fp,
        stale: stale || (record !== undefined && (record.flags & FLAG_STALE) !== 0),
      }
    })
  })

/** Of the folder of one file: how many files there are is whether it is there. */
const count = async (world: World, limits: Limits): Promise<void> => {
  const sinceMs = world.clock.nowMs - limits.look
  let files: number
  try {
    const answer = await orAbsent(() => world.reads.contentSummary({ path: '/d/e' }, CALL))
    files = (answer as { files: number } | undefined)?.files ?? 0
  } catch (error) {
    if (isAlluxioError(error, 'UNAVAILABLE')) return
    throw error
  }
  const flags = world.namespace.inode('/d/e')?.record.flags ?? 0
  if (limits.tolerant && (flags & FLAG_STALE) !== 0) return
  if (!world.source.held('/d/e/f', files === 1, sinceMs))
    throw new Error(`count told ${files} files of /d/e, which had another number for ${limits.look} ms`)
}

type Step =
  | { readonly do: 'put'; readonly path: File; readonly length: number }
  | { readonly do: 'remove'; readonly path: string }
  | { readonly do: 'open' | 'look'; readonly path: File }
  | { readonly do: 'list'; readonly path: string }
  | { readonly do: 'count' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'slow'; readonly ms: number }
  | { readonly do: 'fail'; readonly on: boolean }

const file = fc.constantFrom(...FILES)
const steps = (faults: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), path: file, length: fc.nat(9) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('remove' as const),
          path: fc.constantFrom(...FILES, '/d', '/d/e'),
        }),
      },
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constantFrom('open' as const, 'look' as const), path: file }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('list' as const), path: fc.constantFrom(...FOLDERS) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('count' as const) }) },
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('pass' as const),
          ms: fc.constantFrom(1, 40, 900, 1100, 2500, 9000),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('slow' as const), ms: fc.constantFrom(0, 100, 3000) }),
      },
      ...(faults
        ? [{ weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), on: fc.boolean() }) }]
        : []),
    ),
    { minLength: 5, maxLength: 80, size: 'max' },
  )

async function run(contract: string, limits: Limits, given: readonly Step[]): Promise<void> {
  const world = await worldWith(contract)
  const { clock, source } = world
  const under: Promise<void>[] = []
  const begin = (work: Promise<void>) => {
    work.catch(() => {})
    under.push(work)
  }
  for (const step of given) {
    if (step.do === 'put') await source.put(step.path, step.length)
    else if (step.do === 'remove') await source.remove(step.path)
    else if (step.do === 'open') begin(open(world, step.path, limits))
    else if (step.do === 'look') begin(look(world, step.path, limits))
    else if (step.do === 'list') begin(list(world, step.path, limits))
    else if (step.do === 'count') begin(count(world, limits))
    else if (step.do === 'slow') source.latencyMs = step.ms
    else if (step.do === 'fail') source.failing = step.on
    if (step.do !== 'pass') await turns()
    await clock.pass(step.do === 'pass' ? step.ms : 1)
  }
  source.failing = false
  source.latencyMs = 0
  await clock.pass(60_000)
  await Promise.all(under)
  await isWell(world, limits)
}

/** Nothing of what went wrong stays: with a store that answers, every file is seen again. */
async function isWell(world: World, limits: Limits): Promise<void> {
  if (!Number.isFinite(limits.open)) return
  await world.clock.pass(limits.open + 5000)
  for (const path of FILES) {
    const answer = await orAbsent(() => world.reads.open({ path }, CALL))
    const seen = (answer as { source?: Source2 } | undefined)?.source?.fingerprint
    expect({ path, seen }).toEqual({ path, seen: world.source.now(path) })
    const inode = world.namespace.inode(path)
    if (inode !== undefined)
      expect({ path, stale: inode.record.flags & FLAG_STALE }).toEqual({ path, stale: 0 })
  }
}

const NEVER = Number.POSITIVE_INFINITY
const CONTRACTS: readonly (readonly [string, Limits])[] = [
  ['strict', { open: 0, look: 0, tolerant: false }],
  ['validate-on-open', { open: 0, look: NEVER, tolerant: true }],
  ['ttl(2s)', { open: 2000, look: 2000, tolerant: true }],
  ['ttl(500ms)', { open: 500, look: 500, tolerant: true }],
  ['immutable', { open: NEVER, look: NEVER, tolerant: true }],
]

test('what is counted is what a listing of the path shows, and what is known below', async () => {
  const { source, reads } = await worldWith('immutable')
  await source.put('/d/b', 3)
  await source.put('/d/e/f', 5)
  const of = (path: string) => reads.contentSummary({ path }, CALL)
  // Nobody has listed anything: the children of the path are looked for, what is below them is not.
  expect(await of('/d')).toMatchObject({ files: 1, directories: 1, bytes: 3 })
  expect(await of('/d/e')).toMatchObject({ files: 1, bytes: 5 })
  expect(await of('/d')).toMatchObject({ files: 2, bytes: 8 })
  await source.put('/d/c', 1)
  expect(await of('/d')).toMatchObject({ files: 2 })
  expect(await reads.contentSummary({ path: '/d', syncIntervalMs: 0 }, CALL)).toMatchObject({ files: 3 })
})

test('a directory that goes and comes back while it is looked for is found', async () => {
  const slowly: readonly Step[] = [
    { do: 'put', path: '/d/b', length: 0 },
    { do: 'open', path: '/a' },
    { do: 'slow', ms: 3000 },
    { do: 'pass', ms: 2500 },
    { do: 'list', path: '/' },
    { do: 'pass', ms: 900 },
    { do: 'remove', path: '/d' },
    { do: 'pass', ms: 900 },
    { do: 'put', path: '/d/e/f', length: 0 },
    { do: 'pass', ms: 900 },
  ]
  const limits = { open: 500, look: 500, tolerant: true }
  await run('ttl(500ms)', limits, [...slowly, { do: 'count' }])
  await run('ttl(500ms)', limits, [...slowly, { do: 'list', path: '/d/e' }])
})

describe.each(CONTRACTS)('%s', (contract, limits) => {
  test.each([
    ['a store that answers', false],
    ['a store that fails now and then', true],
  ])('holds on %s', async (_, faults) => {
    await fc.assert(
      fc.asyncProperty(steps(faults), (given) => run(contract, limits, given)),
      { numRuns: Number(process.env.ALLUXIO_TEST_RUNS ?? 20) },
    )
  })
})
