/**
 * What the master has yet to learn about the blocks of this worker. Changes are kept until a heartbeat that carried them
 * was answered, so a lost message loses nothing.
 */
import type { BlockChanges } from '../../../store/index.ts'

export interface Delta {
  /** f64 little-endian block ids. */
  readonly removed: Uint8Array
  /** 9 bytes each: f64 little-endian block id, u8 tier. */
  readonly added: Uint8Array
  /** f64 little-endian ids of removed blocks whose bytes are gone. */
  readonly lost?: Uint8Array
}

export class BlockReport {
  readonly #removed = new Set<number>()
  readonly #added = new Map<number, number>()
  readonly #lost = new Set<number>()

  /** Later changes win over earlier ones of the same block. */
  merge({ removed, added, lost }: BlockChanges): void {
    for (const id of lost) this.#lost.add(id)
    for (const id of removed) {
      this.#added.delete(id)
      this.#removed.add(id)
    }
    for (const { id, tier } of added) this.#added.set(id, tier)
  }

  get empty(): boolean {
    return this.#removed.size === 0 && this.#added.size === 0 && this.#lost.size === 0
  }

  encode(): Delta {
    const places = Array.from(this.#added, ([id, tier]) => ({ id, tier }))
    return {
      removed: encodeIds(this.#removed),
      added: encodePlaces(places),
      ...(this.#lost.size === 0 ? {} : { lost: encodeIds(this.#lost) }),
    }
  }

  /** A registration names all blocks, so only losses are still to be told. */
  restart({ lost }: BlockChanges): void {
    this.#removed.clear()
    this.#added.clear()
    for (const id of lost) this.#lost.add(id)
  }

  /** What `encode` gave has arrived; nothing was merged since. */
  acknowledged(): void {
    this.#removed.clear()
    this.#added.clear()
    this.#lost.clear()
  }
}

function encodeIds(ids: ReadonlySet<number>): Buffer {
  const bytes = Buffer.allocUnsafe(ids.size * 8)
  let offset = 0
  for (const id of ids) offset = bytes.writeDoubleLE(id, offset)
  return bytes
}

export function encodePlaces(places: readonly { readonly id: number; readonly tier: number }[]): Buffer {
  const bytes = Buffer.allocUnsafe(places.length * 9)
  let offset = 0
  for (const { id, tier } of places) {
    offset = bytes.writeDoubleLE(id, offset)
    offset = bytes.writeUInt8(tier, offset)
  }
  return bytes
}

/** f64 little-endian ids. */
export function decodeIds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => view.getFloat64(i * 8, true))
}
