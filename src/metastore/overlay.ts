/**
 * What was handed to `commit` and is not yet in the tables, laid over them so that every read sees it at once.
 *
 * Keys are split after six bytes (the parent id of an inode key) into nested maps: a listing looks at its own directory's
 * pending names only.
 */
import type { Change, RangeOptions, Row, Table } from './store.ts'
import { TABLES } from './store.ts'

const PREFIX_BYTES = 6

/** A pending value. Its batch may still replace the value until it is sealed. */
interface Cell {
  readonly table: Table
  readonly key: Buffer
  value: Buffer | null
  readonly batch: number
  readonly bucket: Map<string, Cell>
  readonly prefix: number
  readonly rest: string
}

type Buckets = Map<number, Map<string, Cell>>

export class Overlay {
  readonly #tables = Object.fromEntries(TABLES.map((table) => [table, new Map()])) as Record<Table, Buckets>
  /** Cells that are laid over the tables. */
  size = 0
  /** Youngest batch that a read met; the reader resets it. */
  readBatch = 0

  /** Lays a change over the medium. Returns its cell if it is new in this batch, else replaces the value. */
  put(change: Change, batch: number): Cell | undefined {
    const { table, key, value } = change
    const buckets = this.#tables[table]
    const prefix = prefixOf(key)
    let bucket = buckets.get(prefix)
    if (bucket === undefined) {
      bucket = new Map()
      buckets.set(prefix, bucket)
    }
    const rest = key.toString('latin1', PREFIX_BYTES)
    const known = bucket.get(rest)
    if (known !== undefined && known.batch === batch) {
      known.value = value
      return undefined
    }
    if (known === undefined) this.size++
    const cell: Cell = { table, key, value, batch, bucket, prefix, rest }
    bucket.set(rest, cell)
    return cell
  }

  /** The pending value: null if it is deleted, undefined if the overlay does not know the key. */
  get(table: Table, key: Buffer): Buffer | null | undefined {
    const buckets = this.#tables[table]
    if (buckets.size === 0) return undefined
    const cell = buckets.get(prefixOf(key))?.get(key.toString('latin1', PREFIX_BYTES))
    if (cell === undefined) return undefined
    if (cell.batch > this.readBatch) this.readBatch = cell.batch
    return cell.value
  }

  /** Whether a batch not later than `last` has put another value in the cell's place. */
  replaced(cell: Cell, last: number): boolean {
    const now = cell.bucket.get(cell.rest)
    return now !== undefined && now !== cell && now.batch <= last
  }

  /** Takes the cells of an applied batch away, except those that a younger batch has replaced. */
  drop(cells: readonly Cell[]): void {
    for (const cell of cells) {
      const { bucket, rest } = cell
      if (bucket.get(rest) !== cell) continue
      bucket.delete(rest)
      this.size--
      if (bucket.size === 0) this.#tables[cell.table].delete(cell.prefix)
    }
  }

  /** Rows of the medium with the pending ones merged in; `below` is asked for enough rows to make up for deletions. */
  *merge(
    table: Table,
    options: RangeOptions,
    below: (options: RangeOptions) => Iterable<Row>,
  ): Iterable<Row> {
    const cells = this.#within(table, options)
    let limit = options.limit ?? Number.POSITIVE_INFINITY
    const rows = below(options.limit === undefined ? options : { ...options, limit: limit + cells.length })
    let i = 0
    for (const row of rows) {
      for (; i < cells.length; i++) {
        const cell = cells[i]!
        const order = Buffer.compare(cell.key, row.key)
        if (order > 0) break
        if (order === 0) continue
        if (cell.value === null) continue
        if (limit-- <= 0) return
        yield cell as Row
      }
      const shadow = i > 0 && cells[i - 1]!.key.equals(row.key) ? cells[i - 1]! : undefined
      if (shadow?.value === null) continue
      if (limit-- <= 0) return
      yield shadow === undefined ? row : (shadow as Row)
    }
    for (; i < cells.length; i++) {
      if (cells[i]!.value === null) continue
      if (limit-- <= 0) return
      yield cells[i]! as Row
    }
  }

  /** Whether a range may meet pending keys at all (may say true for nothing). */
  touches(table: Table, options: RangeOptions): boolean {
    const buckets = this.#tables[table]
    if (buckets.size === 0) return false
    const first = prefixOf(options.start)
    const last = prefixOf(options.end)
    if (last - first > 1) return true
    return buckets.has(first) || (last !== first && buckets.has(last))
  }

  #within(table: Table, { start, end }: RangeOptions): Cell[] {
    const buckets = this.#tables[table]
    const first = prefixOf(start)
    const last = prefixOf(end)
    const cells: Cell[] = []
    const collect = (bucket: Map<string, Cell> | undefined) => {
      if (bucket === undefined) return
      for (const cell of bucket.values()) {
        if (Buffer.compare(cell.key, start) >= 0 && Buffer.compare(cell.key, end) < 0) cells.push(cell)
      }
    }
    if (last - first <= 1) {
      collect(buckets.get(first))
      if (last !== first) collect(buckets.get(last))
    } else {
      for (const [prefix, bucket] of buckets) if (prefix >= first && prefix <= last) collect(bucket)
    }
    for (const cell of cells) if (cell.batch > this.readBatch) this.readBatch = cell.batch
    return cells.sort((a, b) => Buffer.compare(a.key, b.key))
  }
}

export type { Cell }

/** The first six bytes as a number, shorter keys padded with zeros. */
function prefixOf(key: Buffer): number {
  if (key.length < PREFIX_BYTES) {
    let n = 0
    for (let i = 0; i < PREFIX_BYTES; i++) n = n * 256 + (key[i] ?? 0)
    return n
  }
  return (
    ((key[0]! << 8) | key[1]!) * 0x1_0000_0000 +
    (((key[2]! << 24) | (key[3]! << 16) | (key[4]! << 8) | key[5]!) >>> 0)
  )
}
