/** The latest changes of replicas in order, in a ring: whoever reads too slowly misses some and is told so. Holds no reader. */
import { assert, type BlockId, type WorkerId } from '../core/index.ts'
import type { BlockObserver } from '../namespace/index.ts'

export interface ReplicaChange {
  readonly block: BlockId
  readonly worker: WorkerId
  /** -1: it is gone. */
  readonly tier: number
}

export class ChangeFeed implements BlockObserver {
  /** Number of the last change; the first one has 1. */
  sequence = 0
  readonly #size: number
  readonly #block: Float64Array
  readonly #worker: Uint32Array
  readonly #tier: Int8Array
  readonly #onChange: () => void

  /** @param size changes that are kept, a power of two; `onChange` must be cheap */
  constructor(
    { size = 65_536 }: { readonly size?: number },
    { onChange }: { readonly onChange: () => void },
  ) {
    assert((size & (size - 1)) === 0, 'the ring of changes has a power of two as its size')
    this.#size = size
    this.#block = new Float64Array(size)
    this.#worker = new Uint32Array(size)
    this.#tier = new Int8Array(size)
    this.#onChange = onChange
  }

  replicaChanged(block: BlockId, worker: WorkerId, tier: number): void {
    const at = this.sequence++ & (this.#size - 1)
    this.#block[at] = block
    this.#worker[at] = worker
    this.#tier[at] = tier
    this.#onChange()
  }

  /** Up to `limit` changes after a number; undefined when some of them are no longer kept. */
  after(sequence: number, limit: number): ReplicaChange[] | undefined {
    if (this.sequence - sequence > this.#size || sequence > this.sequence) return undefined
    const end = Math.min(this.sequence, sequence + limit)
    const changes: ReplicaChange[] = []
    for (let n = sequence; n < end; n++) {
      const at = n & (this.#size - 1)
      changes.push({
        block: this.#block[at] as BlockId,
        worker: this.#worker[at] as WorkerId,
        tier: this.#tier[at]!,
      })
    }
    return changes
  }
}
