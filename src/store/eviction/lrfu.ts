/**
 * Least recently and frequently used (Lee, Choi, Kim, Noh, Min, Cho, Kim: "LRFU: A Spectrum of Policies that Subsumes the
 * Least Recently Used and Least Frequently Used Policies", IEEE Transactions on Computers 50(12), 2001).
 *
 * Each access at logical time t gives a block the weight F(now - t) = (1/p)^(step * (now - t)); its value is the sum of its
 * weights. Between accesses all values shrink by the same factor, so their order changes only for the block that is accessed:
 * a heap over log_p(value at the last access) + step * (time of it) never needs to be rebuilt.
 */
import type { BlockId } from '../../core/index.ts'
import type { EvictionPolicy } from '../types.ts'

interface Weighted {
  readonly blockId: BlockId
  /** log_p of the value, as of time 0. */
  rank: number
  /** Place in the heap. */
  at: number
}

export class Lrfu implements EvictionPolicy {
  readonly name = 'LRFU'
  readonly #step: number
  readonly #logBase: number
  readonly #blocks = new Map<BlockId, Weighted>()
  readonly #heap: Weighted[] = []
  #clock = 0
  /** Changes with the heap. */
  #version = 0

  /** @param step 0 … 1: 0 counts accesses alone (LFU), 1 weighs the last one most (LRU). @param attenuation p, at least 1 */
  constructor(step: number, attenuation: number) {
    this.#step = step
    this.#logBase = Math.log(Math.max(attenuation, 1 + 1e-9))
  }

  added(blockId: BlockId): void {
    if (this.#blocks.has(blockId)) {
      this.accessed(blockId)
      return
    }
    this.#clock++
    this.#version++
    const block: Weighted = { blockId, rank: this.#step * this.#clock, at: this.#heap.length }
    this.#blocks.set(blockId, block)
    this.#heap.push(block)
    this.#up(block)
  }

  accessed(blockId: BlockId): void {
    const block = this.#blocks.get(blockId)
    if (block === undefined) return
    this.#clock++
    this.#version++
    // New value 1 + old value at this time, in logarithms that neither overflow nor underflow.
    const older = block.rank - this.#step * this.#clock
    block.rank = this.#step * this.#clock + Math.log1p(Math.exp(older * this.#logBase)) / this.#logBase
    this.#down(block)
  }

  removed(blockId: BlockId): void {
    const block = this.#blocks.get(blockId)
    if (block === undefined) return
    this.#version++
    this.#blocks.delete(blockId)
    const last = this.#heap.pop()!
    if (last === block) return
    this.#put(last, block.at)
    this.#up(last)
    this.#down(last)
  }

  /**
   * In ascending order of value: from the heap's top down, always the least of those whose parents were seen. A few victims of a
   * million cost little. Where the heap changes in between, the walk begins anew and leaves out what was offered.
   */
  *victims(): Iterable<BlockId> {
    const heap = this.#heap
    const offered = new Set<BlockId>()
    let version = -1
    let open: number[] = []
    for (;;) {
      if (version !== this.#version) {
        version = this.#version
        open = heap.length === 0 ? [] : [0]
      }
      if (open.length === 0) return
      let least = 0
      for (let i = 1; i < open.length; i++) if (heap[open[i]!]!.rank < heap[open[least]!]!.rank) least = i
      const at = open[least]!
      open[least] = open[open.length - 1]!
      open.pop()
      if (2 * at + 1 < heap.length) open.push(2 * at + 1)
      if (2 * at + 2 < heap.length) open.push(2 * at + 2)
      const { blockId } = heap[at]!
      if (offered.has(blockId)) continue
      offered.add(blockId)
      yield blockId
    }
  }

  #put(block: Weighted, at: number): void {
    this.#heap[at] = block
    block.at = at
  }

  #up(block: Weighted): void {
    while (block.at > 0) {
      const parent = this.#heap[(block.at - 1) >> 1]!
      if (parent.rank <= block.rank) return
      const { at } = block
      this.#put(block, parent.at)
      this.#put(parent, at)
    }
  }

  #down(block: Weighted): void {
    for (;;) {
      const left = this.#heap[2 * block.at + 1]
      const right = this.#heap[2 * block.at + 2]
      const child = right !== undefined && right.rank < left!.rank ? right : left
      if (child === undefined || child.rank >= block.rank) return
      const { at } = block
      this.#put(block, child.at)
      this.#put(child, at)
    }
  }
}
