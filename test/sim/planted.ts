/**
 * Defects put in on purpose, to see that the checkers find them: wrappers of what the simulation hands to the product, never
 * a switch in the product itself.
 */
import type { FileReader, FileSystem } from '../../src/client/types.ts'
import type { Change, MemoryDisk, RecordStore } from '../../src/metastore/index.ts'
import type { UnderStore } from '../../src/ufs/index.ts'
import type { Rng } from './kernel/rng.ts'
import type { SimOptions } from './options.ts'

export const PLANTED = [
  'ack-before-flush',
  'lost-create',
  'rename-under-both-names',
  'torn-block-served',
  'stale-bytes',
  'sync-takes-away',
] as const
export type Planted = (typeof PLANTED)[number]

/** Where a defect sits; each hook leaves things alone unless it is the one. */
export interface Plant {
  /** Round the master's metadata store. */
  store(store: RecordStore): RecordStore
  /** On the master's disk, before it starts again. */
  disk(disk: MemoryDisk): void
  /** Round the under-store itself. */
  underStore(store: UnderStore): UnderStore
  /** Round a client's file system: what a worker would have sent it. */
  client(fs: FileSystem): FileSystem
}

/** Worlds in which the defect has something to bite on. */
export function worldFor(which: Planted, options: SimOptions): SimOptions {
  const { processes, storage } = options
  const crashing = { ...processes, masterCrashEveryMs: 1500 }
  if (which === 'lost-create') return { ...options, processes: crashing }
  if (which === 'ack-before-flush')
    return { ...options, processes: crashing, storage: { ...storage, flushMs: 100 } }
  // Paths have to be read again after they were written anew.
  if (which === 'stale-bytes') return { ...options, clients: 4, opsPerClient: 80, thinkMs: 10 }
  return options
}

export const NOTHING: Plant = {
  store: (store) => store,
  disk: () => {},
  underStore: (store) => store,
  client: (fs) => fs,
}

export function plant(which: Planted, rng: Rng): Plant {
  switch (which) {
    case 'ack-before-flush':
      return { ...NOTHING, store: (store) => around(store, { commit: acknowledgeAtOnce(store) }) }
    case 'lost-create':
      return { ...NOTHING, disk: (disk) => loseNewestInode(disk) }
    case 'rename-under-both-names':
      return { ...NOTHING, store: (store) => around(store, { commit: keepOldName(store, rng) }) }
    case 'torn-block-served':
      return { ...NOTHING, client: (fs) => withReaders(fs, (reader) => tearing(reader, rng)) }
    case 'sync-takes-away':
      return { ...NOTHING, underStore: (store) => around(store, { list: forgetfulList(store, rng) }) }
    case 'stale-bytes': {
      const seen = new Map<string, Buffer>()
      return { ...NOTHING, client: (fs) => withReaders(fs, (reader, path) => stale(reader, path, seen, rng)) }
    }
  }
}

/** The same object with some methods replaced; everything else reaches the original. */
function around<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(object, key) {
      const own = (methods as Record<PropertyKey, unknown>)[key]
      if (own !== undefined) return own
      const value = Reflect.get(object, key, object) as unknown
      return typeof value === 'function' ? value.bind(object) : value
    },
    set: (object, key, value) => Reflect.set(object, key, value, object),
  })
}

function acknowledgeAtOnce(store: RecordStore): RecordStore['commit'] {
  return (changes) => {
    store.commit(changes).catch(() => {})
    return Promise.resolve()
  }
}

/** A rename takes one key away and puts another in one commit: now and then the taking away is forgotten. */
function keepOldName(store: RecordStore, rng: Rng): RecordStore['commit'] {
  return (changes) => {
    const inodes = changes.filter(({ table }) => table === 'inode')
    const isRename = inodes.some(({ value }) => value === null) && inodes.some(({ value }) => value !== null)
    if (!isRename || rng.chance(0.3)) return store.commit(changes)
    const forgetful = (change: Change) => change.table !== 'inode' || change.value !== null
    return store.commit(changes.filter(forgetful))
  }
}

/** A listing that leaves an entry out: whoever compares with it takes away what is there. */
function forgetfulList(store: UnderStore, rng: Rng): UnderStore['list'] {
  return async (path, options) => {
    const page = await store.list(path, options)
    if (page.entries.length === 0 || rng.chance(0.7)) return page
    return { ...page, entries: page.entries.toSpliced(rng.int(0, page.entries.length - 1), 1) }
  }
}

function loseNewestInode(disk: MemoryDisk): void {
  const medium = disk.attach()
  const rows = [...medium.range('inode', { start: Buffer.alloc(0), end: Buffer.alloc(16, 255) })]
  const last = rows.at(-1)
  if (last !== undefined) medium.write([{ table: 'inode', key: last.key, value: null }]).catch(() => {})
  disk.detach()
}

function withReaders(fs: FileSystem, wrap: (reader: FileReader, path: string) => FileReader): FileSystem {
  return around(fs, { open: async (path, options) => wrap(await fs.open(path, options), path) })
}

function tearing(reader: FileReader, rng: Rng): FileReader {
  return around(reader, {
    readInto: async (position, buffer) => {
      const count = await reader.readInto(position, buffer)
      if (count > 512 && rng.chance(0.2)) buffer.fill(0, count - 512, count)
      return count
    },
  })
}

/** What was first read of a path is served again, whatever stands there now. */
function stale(reader: FileReader, path: string, seen: Map<string, Buffer>, rng: Rng): FileReader {
  return around(reader, {
    readInto: async (position, buffer) => {
      const count = await reader.readInto(position, buffer)
      const key = `${path} ${position}`
      const known = seen.get(key)
      if (known === undefined) seen.set(key, Buffer.from(buffer.subarray(0, count)))
      else if (rng.chance(0.5)) buffer.set(known.subarray(0, count))
      return count
    },
  })
}
