// Namespaces on a disk in memory, for tests.
import { type AlluxioError, type Runtime, systemRuntime } from '../../src/core/index.ts'
import { MemoryDisk, openMemoryStore, type RecordStore } from '../../src/metastore/index.ts'
import { BlockMap, type Caller, Namespace, type NamespaceOptions } from '../../src/namespace/index.ts'

export const ROOT: Caller = { user: 'root', groups: ['root'] }
export const ALICE: Caller = { user: 'alice', groups: ['staff'] }
export const BOB: Caller = { user: 'bob', groups: ['dev', 'staff'] }

export const NAMESPACE_OPTIONS: NamespaceOptions = {
  superuser: 'root',
  superuserGroup: 'root',
  supergroup: 'supergroup',
  umask: 0o022,
  permissionsEnabled: true,
  listingCacheBytes: 1 << 20,
  rootMount: { uri: 'file:///under' },
}

export interface World {
  namespace: Namespace
  store: RecordStore
  blocks: BlockMap
  readonly disk: MemoryDisk
  /** Closes in good order and opens again. */
  restart(): Promise<void>
  /** Dies at once and opens again. */
  crash(): Promise<void>
}

/** Tasks of `defer` run as microtasks' successors, so thousands of operations need no timers. */
export async function makeWorld(
  options: Partial<NamespaceOptions> = {},
  runtime: Runtime = systemRuntime,
): Promise<World> {
  const disk = new MemoryDisk({}, { runtime })
  const open = async () => {
    const store = await openMemoryStore({ onFatal: fatal }, { runtime, disk })
    const blocks = new BlockMap()
    const namespace = new Namespace({ ...NAMESPACE_OPTIONS, ...options }, { store, runtime, blocks })
    await namespace.durable()
    return { store, blocks, namespace }
  }
  const world: World = {
    ...(await open()),
    disk,
    async restart() {
      await world.store.close()
      Object.assign(world, await open())
    },
    async crash() {
      disk.crash()
      Object.assign(world, await open())
    },
  }
  return world
}

function fatal(error: AlluxioError): void {
  throw error
}

/** A runtime whose timers and turns follow each other without waiting; time moves a millisecond a turn. */
export function fastRuntime(seed = 1): Runtime {
  let now = 1_700_000_000_000
  let state = seed
  return {
    now: () => now++,
    monotonic: () => now,
    after(_ms, fn, unref) {
      let cancelled = false
      if (unref !== true) {
        queueMicrotask(() => {
          if (!cancelled) fn()
        })
      }
      return () => {
        cancelled = true
      }
    },
    defer: (fn) => queueMicrotask(fn),
    random: () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    },
    randomBytes: (bytes) => bytes.fill(seed),
  }
}
