/**
 * The RecordStore of the simulation: a disk in memory that tells written from flushed. A crash takes back what was not flushed, or
 * keeps it, of the journal also a part of its sectors, as the Runtime's dice fall: all that happens on real disks. Latency and
 * failure of flushes are drawn too.
 */
import { AlluxioError, assert, type Runtime } from '../core/index.ts'
import { type GroupCommit, openGroupCommit, visitRows } from './group-commit.ts'
import { type JournalDevice, SEGMENTS } from './journal.ts'
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

/** Small, so that segments change often. */
const SEGMENT_BYTES = 64 * 1024
const SECTOR_BYTES = 512

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
  readonly #segments = Array.from({ length: SEGMENTS }, () => Buffer.alloc(SEGMENT_BYTES))
  #attached: MemoryMedium | undefined
  #journal: MemoryJournal | undefined
  /** Bytes that may still be written; a test or a simulation may set it. */
  freeBytes = Number.POSITIVE_INFINITY
  /** Writes that became durable since the disk was made. */
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
    this.#attached = new MemoryMedium(this.#tables, this)
    return this.#attached
  }

  /** The journal of the store that has the disk open. */
  attachJournal(): JournalDevice {
    this.#journal = new MemoryJournal(this.#segments, this)
    return this.#journal
  }

  detach(): void {
    this.#attached = undefined
    this.#journal = undefined
  }

  /** The process that has the store open dies now. What it was flushing is kept or lost by the dice: of tables as a whole. */
  crash(): void {
    this.#attached?.crash(this.#runtime.random() < 0.5)
    this.#journal?.crash(this.#runtime.random())
    this.detach()
  }

  /** A write's way to the disk: resolves after a drawn time, fails or hangs by the dice. */
  flush(isDead: () => boolean, done: () => void): Promise<void> {
    const { flushMinMs = 0, flushMaxMs = flushMinMs, failureShare = 0, hangShare = 0 } = this.#options
    const dice = this.#runtime.random()
    const latencyMs = flushMinMs + this.#runtime.random() * (flushMaxMs - flushMinMs)
    return new Promise((resolve, reject) => {
      if (dice < hangShare) return
      this.#runtime.after(latencyMs, () => {
        if (isDead()) return
        if (dice < hangShare + failureShare) return reject(new AlluxioError('DATA_LOSS', 'simulated EIO'))
        done()
        this.flushes++
        resolve()
      })
    })
  }
}

class MemoryJournal implements JournalDevice {
  readonly segmentBytes = SEGMENT_BYTES
  readonly #segments: readonly Buffer[]
  readonly #disk: MemoryDisk
  #inFlight: { readonly segment: number; readonly offset: number; readonly bytes: Buffer } | undefined
  #dead = false

  constructor(segments: readonly Buffer[], disk: MemoryDisk) {
    this.#segments = segments
    this.#disk = disk
  }

  read(segment: number): Buffer {
    return Buffer.from(this.#segments[segment]!)
  }

  write(segment: number, offset: number, bytes: Buffer): Promise<void> {
    // What a dead process had still in hand goes nowhere.
    if (this.#dead) return new Promise(() => {})
    assert(this.#inFlight === undefined, 'one write at a time')
    this.#inFlight = { segment, offset, bytes }
    return this.#disk.flush(
      () => this.#dead,
      () => {
        this.#segments[segment]!.set(bytes, offset)
        this.#inFlight = undefined
      },
    )
  }

  async close(): Promise<void> {
    this.#dead = true
  }

  /** @param dice 0 to 1: none of the sectors in flight reached the disk, or the first of them, or (a third each) all */
  crash(dice: number): void {
    this.#dead = true
    if (this.#inFlight === undefined) return
    const { segment, offset, bytes } = this.#inFlight
    const share = Math.min(1, Math.max(0, dice * 3 - 1))
    const sectors = share * (bytes.length / SECTOR_BYTES)
    this.#segments[segment]!.set(bytes.subarray(0, Math.floor(sectors) * SECTOR_BYTES), offset)
  }
}

class MemoryMedium implements Medium {
  readonly #tables: Record<Table, SortedTable>
  readonly #disk: MemoryDisk
  /** What the write in flight replaced, in order. */
  #undo: Change[] | undefined
  #dead = false

  constructor(tables: Record<Table, SortedTable>, disk: MemoryDisk) {
    this.#tables = tables
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
    return this.#disk.flush(
      () => this.#dead,
      () => {
        this.#undo = undefined
      },
    )
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
  const { runtime, disk } = modules
  const { clusterId, flushTimeoutMs = 30_000, onFatal } = options
  return openGroupCommit(
    { flushTimeoutMs, reserveBytes: 1, clusterId, onFatal },
    { runtime, medium: disk.attach(), openJournal: () => disk.attachJournal() },
  )
}
