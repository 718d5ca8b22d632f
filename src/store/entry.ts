/** What the store knows of one block. A million of these are held, so they are plain and small. */
import type { BlockId } from '../core/index.ts'
import type { Folder } from './folder.ts'

export interface BlockEntry {
  readonly id: BlockId
  readonly length: number
  folder: Folder
  /** Bytes accounted for it in its folder. */
  bytes: number
  state: 'sealed' | 'partial'
  /** No other copy is known: may be moved but not deleted by eviction. */
  soleCopy: boolean
  /** How many moves, seals and the like are at work on it: not to be chosen by eviction while any is. */
  busy: number
  /** End of the last read: one that goes on from there is the same access. */
  readEnd: number
  /** Accesses with an exponentially fading weight, as of `heatAt` (monotonic milliseconds). */
  heat: number
  heatAt: number
  /** When its bytes were last known to be good (monotonic milliseconds): written, or read and verified by the scrubber. */
  checkedAt: number
}

const NEVER = Number.NEGATIVE_INFINITY

/** Weight of an access halves in this time. */
const HALF_LIFE_MS = 10 * 60_000

export function heatNow(entry: BlockEntry, nowMs: number): number {
  return entry.heat * 2 ** ((entry.heatAt - nowMs) / HALF_LIFE_MS)
}

export function warm(entry: BlockEntry, nowMs: number): void {
  entry.heat = heatNow(entry, nowMs) + 1
  entry.heatAt = nowMs
}

export function makeEntry(
  fields: Pick<BlockEntry, 'id' | 'length' | 'folder' | 'bytes' | 'state' | 'soleCopy'>,
  nowMs: number,
): BlockEntry {
  return { ...fields, busy: 0, readEnd: 0, heat: 0, heatAt: nowMs, checkedAt: nowMs }
}

/** A block that was found on the disk: nobody knows whether its bytes are still good. */
export function foundEntry(...[fields, nowMs]: Parameters<typeof makeEntry>): BlockEntry {
  return { ...makeEntry(fields, nowMs), checkedAt: NEVER }
}
