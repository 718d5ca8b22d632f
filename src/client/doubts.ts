/** Tells the master of blocks that were not where it says: it asks their workers, and mends what it says. Nobody waits for it. */
import type { Log, Runtime } from '../core/index.ts'
import type { Client, HintsContract } from '../rpc/index.ts'

export interface DoubtsModules {
  readonly hints: Client<typeof HintsContract>
  readonly runtime: Runtime
  readonly log: Log
}

/** What comes within this time is told together, ms. */
const GATHER_MS = 20
/** Told with one call; what comes besides is found by another read. */
const MOST = 100
/** Doubts that are remembered, so that they are told once. */
const REMEMBERED = 1000

export class Doubts {
  readonly #modules: DoubtsModules
  readonly #told = new Set<string>()
  #waiting: { blockId: number; workerId: number }[] = []

  constructor(modules: DoubtsModules) {
    this.#modules = modules
  }

  tell(blockId: number, workerId: number): void {
    const key = `${blockId} ${workerId}`
    if (this.#waiting.length >= MOST || this.#told.has(key)) return
    if (this.#told.size >= REMEMBERED) this.#told.clear()
    this.#told.add(key)
    this.#waiting.push({ blockId, workerId })
    if (this.#waiting.length === 1) this.#modules.runtime.after(GATHER_MS, () => this.#send(), true)
  }

  #send(): void {
    const { hints, log } = this.#modules
    const doubts = this.#waiting
    this.#waiting = []
    hints.doubt({ doubts }).catch((error: unknown) => log.debug('doubts not told', { error }))
  }
}
