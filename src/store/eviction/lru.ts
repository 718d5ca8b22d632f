/** Least recently used: a list in order of the last access. */
import type { BlockId } from '../../core/index.ts'
import type { EvictionPolicy } from '../types.ts'
import { Queue, type QueueNode } from './queue.ts'

export class Lru implements EvictionPolicy {
  readonly name = 'LRU'
  readonly #nodes = new Map<BlockId, QueueNode>()
  readonly #queue = new Queue()

  added(blockId: BlockId): void {
    const known = this.#nodes.get(blockId)
    if (known !== undefined) this.#queue.toBack(known)
    else this.#nodes.set(blockId, this.#queue.push(blockId))
  }

  accessed(blockId: BlockId): void {
    const node = this.#nodes.get(blockId)
    if (node !== undefined) this.#queue.toBack(node)
  }

  removed(blockId: BlockId): void {
    const node = this.#nodes.get(blockId)
    if (node === undefined) return
    this.#queue.remove(node)
    this.#nodes.delete(blockId)
  }

  *victims(): Iterable<BlockId> {
    let node = this.#queue.front
    while (node !== undefined) {
      // Taken before the yield: the store may remove the block while it looks at it.
      const next: QueueNode | undefined = node.next
      yield node.blockId
      node = next
    }
  }
}
