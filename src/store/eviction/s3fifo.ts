/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023).
 *
 * New blocks enter a small queue of a tenth of the tier; those accessed twice while in it move to the main queue, the others
 * leave and are remembered in a ghost queue, and come back straight into the main queue. The main queue gives blocks
 * that were accessed another round, at most three. A scan thus passes through the small queue and spoils nothing.
 */
import type { BlockId } from '../../core/index.ts'
import type { EvictionPolicy } from '../types.ts'
import { Queue, type QueueNode } from './queue.ts'

interface Cached {
  readonly node: QueueNode
  bytes: number
  frequency: number
  main: boolean
}

const SMALL_SHARE = 0.1
const MOST_FREQUENCY = 3
/** Accesses in the small queue that bring a block into the main one. */
const EARNS_MAIN = 2

export class S3Fifo implements EvictionPolicy {
  readonly name = 'S3FIFO'
  readonly #smallBytesAim: number
  readonly #blocks = new Map<BlockId, Cached>()
  readonly #small = new Queue()
  readonly #main = new Queue()
  /** Blocks that left from the small queue, oldest first; at most as many as the main queue has. */
  readonly #ghosts = new Set<BlockId>()
  #smallBytes = 0

  constructor(capacityBytes: number) {
    this.#smallBytesAim = capacityBytes * SMALL_SHARE
  }

  added(blockId: BlockId, bytes: number): void {
    if (this.#blocks.has(blockId)) {
      this.accessed(blockId)
      return
    }
    const main = this.#ghosts.delete(blockId)
    const node = (main ? this.#main : this.#small).push(blockId)
    this.#blocks.set(blockId, { node, bytes, frequency: 0, main })
    if (!main) this.#smallBytes += bytes
  }

  accessed(blockId: BlockId): void {
    const block = this.#blocks.get(blockId)
    if (block !== undefined && block.frequency < MOST_FREQUENCY) block.frequency++
  }

  resized(blockId: BlockId, bytes: number): void {
    const block = this.#blocks.get(blockId)
    if (block === undefined) return
    if (!block.main) this.#smallBytes += bytes - block.bytes
    block.bytes = bytes
  }

  removed(blockId: BlockId, evicted: boolean): void {
    const block = this.#blocks.get(blockId)
    if (block === undefined) return
    this.#blocks.delete(blockId)
    if (block.main) this.#main.remove(block.node)
    else {
      this.#small.remove(block.node)
      this.#smallBytes -= block.bytes
      if (evicted) this.#remember(blockId)
    }
  }

  #remember(blockId: BlockId): void {
    this.#ghosts.add(blockId)
    const most = Math.max(this.#main.size, 16)
    if (this.#ghosts.size > most) this.#ghosts.delete(this.#ghosts.values().next().value!)
  }

  /**
   * Runs the algorithm: blocks that earned it move on, the others are offered. One that the store does not take goes to the
   * back of its queue; the iteration ends when each was looked at often enough to have lost its credit.
   */
  *victims(): Iterable<BlockId> {
    let looks = (this.#blocks.size + 1) * (MOST_FREQUENCY + 2)
    const offered = new Set<BlockId>()
    while (looks-- > 0 && offered.size < this.#blocks.size) {
      const fromSmall =
        this.#small.front !== undefined &&
        (this.#smallBytes > this.#smallBytesAim || this.#main.front === undefined)
      const node = fromSmall ? this.#small.front! : this.#main.front
      if (node === undefined) return
      const block = this.#blocks.get(node.blockId)!
      if (block.frequency >= (fromSmall ? EARNS_MAIN : 1)) {
        this.#reprieve(block, fromSmall)
        continue
      }
      if (offered.has(node.blockId)) {
        // Skipped before: look at those behind it, and let the other queue have its turn when all were.
        if (fromSmall) this.#toMain(block)
        else this.#main.toBack(node)
        continue
      }
      offered.add(node.blockId)
      yield node.blockId
      if (this.#blocks.get(node.blockId) !== block) {
        offered.delete(node.blockId)
        continue
      }
      if (block.main) this.#main.toBack(block.node)
      else this.#small.toBack(block.node)
    }
    // All that the algorithm would take was refused: what it would have spared comes last.
    for (const blockId of [...this.#blocks.keys()]) {
      if (!offered.has(blockId) && this.#blocks.has(blockId)) yield blockId
    }
  }

  #reprieve(block: Cached, fromSmall: boolean): void {
    if (fromSmall) this.#toMain(block)
    else {
      block.frequency--
      this.#main.toBack(block.node)
    }
  }

  #toMain(block: Cached): void {
    const { blockId } = block.node
    this.#small.remove(block.node)
    this.#smallBytes -= block.bytes
    const moved: Cached = { node: this.#main.push(blockId), bytes: block.bytes, frequency: 0, main: true }
    this.#blocks.set(blockId, moved)
  }
}
