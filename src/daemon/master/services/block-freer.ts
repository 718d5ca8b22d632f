/** Tells workers to drop the blocks that the block map no longer wants, soon after it says so, many in one command. */
import type { Component, Runtime, WorkerId } from '../../../core/index.ts'
import type { BlockMap } from '../../../namespace/index.ts'
import type { WorkerRegistry } from './worker-registry.ts'

export interface BlockFreerModules {
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly runtime: Runtime
}

export class BlockFreer implements Component {
  readonly name = 'block-freer'
  readonly #modules: BlockFreerModules
  #armed = false
  #stopped = false

  constructor(modules: BlockFreerModules) {
    this.#modules = modules
  }

  start(): void {}

  stop(): void {
    this.#stopped = true
  }

  /** Something may have been dropped. */
  kick(): void {
    if (this.#armed || this.#stopped) return
    this.#armed = true
    this.#modules.runtime.defer(() => {
      this.#armed = false
      this.#send()
    })
  }

  #send(): void {
    const { blocks, workers } = this.#modules
    for (const { address, registering } of workers.live()) {
      const id = address.id as WorkerId
      if (registering || !blocks.hasDrops(id)) continue
      workers.send(id, { kind: 'FREE', taskId: 0, ids: blocks.takeDrops(id) })
    }
  }
}
