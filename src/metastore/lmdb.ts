/**
 * The tables on LMDB: one named database each, one write transaction a write, the journal's files beside them.
 *
 * What was learned from the source of lmdb 3.5.6 and holds here:
 * - The environment is opened without overlapping sync. Then the promise of `batch` resolves after `mdb_txn_commit`, that is after
 *   fdatasync of the data and the synchronous write of the meta page, and rejects if either fails. With overlapping sync (the
 *   default) it resolves when the batch is visible, and `flushed` hangs for ever when the sync fails. Measured: no difference in
 *   rate, because our group commit keeps one batch in flight anyway.
 * - The promise of a `put` inside a batch is resolved already: only the batch's own counts.
 * - A synchronous transaction may split a batch in flight into two commits: none is ever made after `open`.
 * - The write thread reads a value's memory until the batch is committed: buffers handed in are never changed after sealing.
 */
import { mkdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { AlluxioError, fromErrno, type Metrics, type Runtime } from '../core/index.ts'
import { type GroupCommit, openGroupCommit } from './group-commit.ts'
import { JournalFiles } from './journal-files.ts'
import { lockFolder } from './process-lock.ts'
import {
  type Change,
  type Medium,
  type RangeOptions,
  type Row,
  type RowVisitor,
  TABLES,
  type Table,
} from './store.ts'

export interface LmdbStoreOptions {
  /** Folder of the store, on a local disk; made if it does not exist. */
  readonly folder: string
  /** Address space for the file, bytes: the store can never grow beyond it. @default 1 TiB */
  readonly mapSizeBytes?: number
  /** Longest that a flush may take, ms. @default 30 s */
  readonly flushTimeoutMs?: number
  /** Commits are refused while the disk has fewer bytes free. @default 256 MiB */
  readonly reserveBytes?: number
  /** The cluster that the store must belong to; an empty store takes it on. */
  readonly clusterId?: string
  /** Durability can no longer be promised: the process must end at once with a status that is not 0. */
  readonly onFatal: (error: AlluxioError) => void
}

export interface LmdbStoreModules {
  readonly runtime: Runtime
  readonly metrics?: Metrics
  /** Bytes free on the folder's disk; default by statfs. */
  readonly freeBytes?: () => number
}

const FILE = 'namespace.mdb'
/** Numbers of network file systems in statfs: their locks and maps break LMDB's promises. */
const NETWORK_FILE_SYSTEMS = new Map<number, string>([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
])

/**
 * Opens the store, alone on this host, and begins a new epoch.
 * @throws CONFLICT reason ALREADY_RUNNING or FOREIGN_STORE, UNSUPPORTED on a network file system, DATA_LOSS if damaged
 */
export async function openLmdbStore(
  options: LmdbStoreOptions,
  modules: LmdbStoreModules,
): Promise<GroupCommit> {
  const { folder } = options
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw fromErrno(error, 'open the metadata store', folder)
  }
  refuseNetwork(folder)
  const unlock = lockFolder(folder)
  try {
    return await openGroupCommit(
      {
        flushTimeoutMs: options.flushTimeoutMs ?? 30_000,
        reserveBytes: options.reserveBytes ?? 256 * 2 ** 20,
        clusterId: options.clusterId,
        onFatal: options.onFatal,
      },
      {
        runtime: modules.runtime,
        medium: new LmdbMedium(options, modules, unlock),
        openJournal: (newTables) => new JournalFiles(folder, newTables),
        ...(modules.metrics === undefined ? {} : { metrics: modules.metrics }),
      },
    )
  } catch (error) {
    unlock()
    throw error
  }
}

function refuseNetwork(folder: string): void {
  const name = NETWORK_FILE_SYSTEMS.get(statfsSync(folder).type >>> 0)
  if (name !== undefined) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `the metadata folder ${folder} lies on a network file system (${name}): put it on a local disk`,
      { reason: 'NETWORK_FILE_SYSTEM' },
    )
  }
}

/** `get` of a database whose decoder hands out lmdb's own buffer: only its first `lastSize` bytes mean anything, until the next read. */
interface Shared extends Database<Uint8Array, Uint8Array> {
  readonly lastSize: number
  getBinaryFast(key: Uint8Array): Buffer | undefined
}

/** A second handle of a table whose rows are left in lmdb's own buffers. */
class Scanner {
  readonly #database: Database<undefined, Uint8Array>
  #keys: Buffer = Buffer.alloc(0)
  #keyStart = 0
  #keyEnd = 0
  #values: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(environment: RootDatabase<Uint8Array, Uint8Array>, name: Table) {
    const encoder = {
      encode: (): never => {
        throw new AlluxioError('INTERNAL', 'a scanner does not write')
      },
      decode: (bytes: Buffer, length: number): undefined => {
        this.#values = bytes
        this.#length = length
      },
    }
    const options = { name, keyEncoding: 'binary' as const, encoder }
    this.#database = environment.openDB<undefined, Uint8Array>(options)
    Object.assign(this.#database, {
      readKey: (bytes: Buffer, start: number, end: number): undefined => {
        this.#keys = bytes
        this.#keyStart = start
        this.#keyEnd = end
      },
    })
  }

  scan({ start, end, limit }: RangeOptions, visit: RowVisitor): void {
    const rows = this.#database.getRange(limit === undefined ? { start, end } : { start, end, limit })
    const iterator = rows[Symbol.iterator]()
    while (iterator.next().done !== true) {
      if (visit(this.#keys, this.#keyStart, this.#keyEnd, asBuffer(this.#values), this.#length)) continue
      iterator.return?.()
      return
    }
  }
}

class LmdbMedium implements Medium {
  readonly #folder: string
  readonly #environment: RootDatabase<Uint8Array, Uint8Array>
  readonly #tables: Record<Table, Shared>
  readonly #scanners: Record<Table, Scanner>
  readonly #unlock: () => void
  readonly #freeBytes: () => number

  constructor(options: LmdbStoreOptions, modules: LmdbStoreModules, unlock: () => void) {
    this.#folder = options.folder
    this.#unlock = unlock
    this.#freeBytes = modules.freeBytes ?? (() => freeBytesOf(options.folder))
    try {
      this.#environment = open<Uint8Array, Uint8Array>({
        path: join(options.folder, FILE),
        keyEncoding: 'binary',
        encoding: 'binary',
        mapSize: options.mapSizeBytes ?? 2 ** 40,
        maxDbs: TABLES.length + 5,
        noMemInit: true,
        overlappingSync: false,
        separateFlushed: true,
      } as Parameters<typeof open>[0]) as RootDatabase<Uint8Array, Uint8Array>
      this.#tables = Object.fromEntries(
        TABLES.map((name) => [
          name,
          this.#environment.openDB<Uint8Array, Uint8Array>({
            name,
            keyEncoding: 'binary',
            encoding: 'binary',
          }) as unknown as Shared,
        ]),
      ) as Record<Table, Shared>
      this.#scanners = Object.fromEntries(
        TABLES.map((name) => [name, new Scanner(this.#environment, name)]),
      ) as Record<Table, Scanner>
    } catch (cause) {
      throw new AlluxioError(
        'DATA_LOSS',
        `the metadata store in ${options.folder} cannot be opened: ${cause}`,
        {
          cause,
        },
      )
    }
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    const database = this.#tables[table]
    const shared = database.getBinaryFast(key)
    if (shared === undefined) return undefined
    const { lastSize } = database
    const bytes = Buffer.allocUnsafe(lastSize)
    shared.copy(bytes, 0, 0, lastSize)
    return bytes
  }

  *range(table: Table, { start, end, limit }: RangeOptions): Iterable<Row> {
    const rows = this.#tables[table].getRange(limit === undefined ? { start, end } : { start, end, limit })
    for (const { key, value } of rows as Iterable<{ key: Uint8Array; value: Uint8Array }>) {
      yield { key: asBuffer(key), value: asBuffer(value) }
    }
  }

  scan(table: Table, options: RangeOptions, visit: RowVisitor): void {
    this.#scanners[table].scan(options, visit)
  }

  write(changes: readonly Change[]): Promise<void> {
    const tables = this.#tables
    const committed = this.#environment.batch(() => {
      for (const { table, key, value } of changes) {
        if (value === null) tables[table].remove(key)
        else tables[table].put(key, value)
      }
    }) as Promise<boolean> & { readonly flushed?: Promise<unknown> }
    return (committed.flushed ?? committed).then(ignore)
  }

  freeBytes(): number {
    return this.#freeBytes()
  }

  stats(): { readonly diskBytes: number; readonly entries: number } {
    let entries = 0
    for (const name of TABLES) {
      entries += (this.#tables[name].getStats() as { entryCount: number }).entryCount
    }
    return { diskBytes: statSync(join(this.#folder, FILE)).size, entries }
  }

  async close(): Promise<void> {
    await this.#environment.close()
    this.#unlock()
  }
}

function ignore(): void {}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
