/** What tier files are opened with; loaded when the first one is, because a client of metadata alone never needs it. */
import type * as Arrow from '../arrow/index.ts'

export interface LoadedTierFiles {
  readonly arrow: Pick<typeof Arrow, 'openBlock' | 'BlockFileWriter'>
  readonly disk: Arrow.BlockDisk
}

export class TierFiles {
  readonly #open: (() => Arrow.BlockDisk) | undefined
  #loaded: Promise<LoadedTierFiles> | undefined

  /** @param open the disk; the real one unless a simulation brings its own */
  constructor(open?: () => Arrow.BlockDisk) {
    this.#open = open
  }

  load(): Promise<LoadedTierFiles> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  async #load(): Promise<LoadedTierFiles> {
    const arrow = await import('../arrow/index.ts')
    return { arrow, disk: this.#open?.() ?? new arrow.FileDisk() }
  }
}
