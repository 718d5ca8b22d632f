/** A doubly linked list: constant time at both ends and in the middle, with no pause for rehashing at a million blocks. */
import type { BlockId } from '../../core/index.ts'

export interface QueueNode {
  readonly blockId: BlockId
  previous: QueueNode | undefined
  next: QueueNode | undefined
}

export class Queue {
  #front: QueueNode | undefined
  #back: QueueNode | undefined
  #size = 0

  get front(): QueueNode | undefined {
    return this.#front
  }
  get size(): number {
    return this.#size
  }

  push(blockId: BlockId): QueueNode {
    const node: QueueNode = { blockId, previous: undefined, next: undefined }
    this.#append(node)
    return node
  }

  remove(node: QueueNode): void {
    if (node.previous === undefined) this.#front = node.next
    else node.previous.next = node.next
    if (node.next === undefined) this.#back = node.previous
    else node.next.previous = node.previous
    node.previous = undefined
    node.next = undefined
    this.#size--
  }

  toBack(node: QueueNode): void {
    if (node === this.#back) return
    this.remove(node)
    this.#append(node)
  }

  #append(node: QueueNode): void {
    node.previous = this.#back
    if (this.#back === undefined) this.#front = node
    else this.#back.next = node
    this.#back = node
    this.#size++
  }
}
