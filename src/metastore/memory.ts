/**
 * The RecordStore of the simulation: a disk in memory that tells committed from flushed. A crash takes back what was not flushed,
 * or keeps it, as the Runtime's dice fall: both happen on real disks. Latency and failure of flushes are drawn too.
 */
import { AlluxioError, assert, type Runtime } from '../core/index.ts'
import { GroupCommit, visitRows } from './group-commit.ts'
import { claim } from './identity.ts'
import {
  type Change,
  type Medium,
  type RangeOptions,
  type Row,
  type RowVisitor,
  TABLES,
  type Table,
} from './store.ts'

export interface MemoryDiskOptions {
  /** A flush takes between these, ms. @default 0 */
  readonly flushMinMs?: number
  readonly flushMaxMs?: number
  /** Share of flushes that fail, 0 to 1. @default 0 */
  readonly failureShare?: number
  /** Share of flushes that never end, 0 to 1. @default 0 */
  readonly hangShare?: number
}

export interface MemoryStoreOptions {
  readonly clusterId?: string
  /** @default 30 s */
  readonly flushTimeoutMs?: number
  readonly onFatal: (error: AlluxioError) => void
}

/** Keys in order with their values; insertion moves what lies behind, which is fine for the sizes of a simulation. */
class SortedTable {
  readonly keys: Buffer[] = []
  readonly values: Buffer[] = []

  /** Index of the first key that is not below `key`. */
  lowerBound(key: Buffer): number {
    let low = 0
    let high = this.keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (Buffer.compare(this.keys[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  get(key: Buffer): Buffer | undefined {
    const i = this.lowerBound(key)
    return i < this.keys.length && this.keys[i]!.equals(key) ? this.values[i] : undefined
  }

  /** Sets or (null) deletes; returns what was there. */
  set(key: Buffer, value: Buffer | null): Buffer | null {
    const i = this.lowerBound(key)
    const known = i < this.keys.length && this.keys[i]!.equals(key)
    const before = known ? this.values[i]! : null
    if (value === null) {
      if (known) {
        this.keys.splice(i, 1)
        this.values.splice(i, 1)
      }
    } else if (known) this.values[i] = value
    else {
      this.keys.splice(i, 0, key)
      this.values.splice(i, 0, value)
    }
    return before
  }
}

/** What survives a crash of the process that has the store open. */
export class MemoryDisk {
  readonly #options: MemoryDiskOptions
  readonly #runtime: Runtime
  readonly #tables = Object.fromEntries(TABLES.map((name) => [name, new SortedTable()])) as Record<
    Table,
    SortedTable
  >
  #attached: MemoryMedium | undefined
  /** Bytes that may still be written; a test or a simulation may set it. */
  freeBytes = Number.POSITIVE_INFINITY
  /** Batches that became durable since the disk was made. */
  flushes = 0

  constructor(options: MemoryDiskOptions, modules: { readonly runtime: Runtime }) {
    this.#options = options
    this.#runtime = modules.runtime
  }

  /** @throws CONFLICT, reason ALREADY_RUNNING, while another store has the disk open */
  attach(): MemoryMedium {
    if (this.#attached !== undefined) {
      throw new AlluxioError('CONFLICT', 'already running: the metadata store is open', {
        reason: 'ALREADY_RUNNING',
      })
    }
    this.#attached = new MemoryMedium(this.#tables, this.#runtime, this.#options, this)
    return this.#attached
  }

  detach(): void {
    this.#attached = undefined
  }

  /** The process that has the store open dies now. What it was flushing is kept or lost as a whole, by the dice. */
  crash(): void {
    this.#attached?.crash(this.#runtime.random() < 0.5)
    this.#attached = undefined
  }
}

class MemoryMedium implements Medium {
  readonly #tables: Record<Table, SortedTable>
  readonly #runtime: Runtime
  readonly #options: MemoryDiskOptions
  readonly #disk: MemoryDisk
  /** What the batch in flight replaced, in order. */
  #undo: Change[] | undefined
  #dead = false

  constructor(
    tables: Record<Table, SortedTable>,
    runtime: Runtime,
    options: MemoryDiskOptions,
    disk: MemoryDisk,
  ) {
    this.#tables = tables
    this.#runtime = runtime
    this.#options = options
    this.#disk = disk
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    this.#mustLive()
    const value = this.#tables[table].get(key)
    return value === undefined ? undefined : Buffer.from(value)
  }

  *range(table: Table, { start, end, limit }: RangeOptions): Iterable<Row> {
    this.#mustLive()
    const sorted = this.#tables[table]
    const from = sorted.lowerBound(start)
    const to = Math.min(sorted.lowerBound(end), from + (limit ?? Number.POSITIVE_INFINITY))
    const rows: Row[] = []
    for (let i = from; i < to; i++) rows.push({ key: sorted.keys[i]!, value: Buffer.from(sorted.values[i]!) })
    yield* rows
  }

  scan(table: Table, options: RangeOptions, visit: RowVisitor): void {
    visitRows(this.range(table, options), visit)
  }

  write(changes: readonly Change[]): Promise<void> {
    // What a dead process had still in hand goes nowhere.
    if (this.#dead) return new Promise(() => {})
    assert(this.#undo === undefined, 'one batch at a time')
    const undo: Change[] = []
    for (const { table, key, value } of changes) {
      const before = this.#tables[table].set(Buffer.from(key), value === null ? null : Buffer.from(value))
      undo.push({ table, key, value: before })
    }
    this.#undo = undo
    const { flushMinMs = 0, flushMaxMs = flushMinMs, failureShare = 0, hangShare = 0 } = this.#options
    const dice = this.#runtime.random()
    const latencyMs = flushMinMs + this.#runtime.random() * (flushMaxMs - flushMinMs)
    return new Promise((resolve, reject) => {
      if (dice < hangShare) return
      this.#runtime.after(latencyMs, () => {
        if (this.#dead) return
        if (dice < hangShare + failureShare) return reject(new AlluxioError('DATA_LOSS', 'simulated EIO'))
        this.#undo = undefined
        this.#disk.flushes++
        resolve()
      })
    })
  }

  freeBytes(): number {
    return this.#disk.freeBytes
  }

  stats(): { readonly diskBytes: number; readonly entries: number } {
    let entries = 0
    let diskBytes = 0
    for (const name of TABLES) {
      const table = this.#tables[name]
      entries += table.keys.length
      for (let i = 0; i < table.keys.length; i++) diskBytes += table.keys[i]!.length + table.values[i]!.length
    }
    return { diskBytes, entries }
  }

  async close(): Promise<void> {
    this.#dead = true
    this.#disk.detach()
  }

  crash(keepInFlight: boolean): void {
    this.#dead = true
    if (!keepInFlight) {
      for (const { table, key, value } of (this.#undo ?? []).reverse()) this.#tables[table].set(key, value)
    }
    this.#undo = undefined
  }

  #mustLive(): void {
    if (this.#dead) throw new AlluxioError('UNAVAILABLE', 'the process of this metadata store has ended')
  }
}

/** Opens the store on a disk in memory and begins a new epoch. */
export async function openMemoryStore(
  options: MemoryStoreOptions,
  modules: { readonly runtime: Runtime; readonly disk: MemoryDisk },
): Promise<GroupCommit> {
  const medium = modules.disk.attach()
  try {
    const identity = await claim(medium, modules.runtime, options.clusterId)
    return new GroupCommit(
      { flushTimeoutMs: options.flushTimeoutMs ?? 30_000, reserveBytes: 1, onFatal: options.onFatal },
      { runtime: modules.runtime, medium },
      identity,
    )
  } catch (error) {
    modules.disk.detach()
    throw error
  }
}
