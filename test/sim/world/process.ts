/**
 * A process that lives, dies and lives again. Its disk outlives it; its memory does not. A start that fails, or a daemon
 * that ends itself, is tried again, as a service manager would.
 */
import type { Kernel, SimNode } from '../kernel/kernel.ts'

const RETRY_MS = 500

export interface SimProcessOptions {
  readonly name: string
  readonly clockSkewMs: number
  /**
   * Starts the program on a fresh node. `exit` says that it has ended by itself. Whatever it returns after the node's death
   * is not waited for.
   */
  readonly program: (node: SimNode, exit: (why: unknown) => void) => Promise<void>
  /** What a crash does to what the process leaves behind. */
  readonly onCrash?: () => void
}

export class SimProcess {
  readonly name: string
  /** Ends that nobody ordered: failed starts and daemons that gave up. */
  readonly exits: string[] = []
  readonly #options: SimProcessOptions
  readonly #kernel: Kernel
  #node: SimNode | undefined
  #starting = false

  constructor(options: SimProcessOptions, modules: { readonly kernel: Kernel }) {
    this.name = options.name
    this.#options = options
    this.#kernel = modules.kernel
  }

  get running(): boolean {
    return this.#node !== undefined
  }

  start(): void {
    if (this.#node !== undefined) return
    this.#starting = false
    const node = this.#kernel.boot(this.name, this.#options.clockSkewMs)
    this.#node = node
    const exit = (why: unknown) => {
      if (this.#node !== node) return
      this.exits.push(why instanceof Error ? (why.stack ?? why.message) : String(why))
      this.#kernel.note(this.name, 'exit', String(why))
      this.crash()
      this.startAfter(RETRY_MS)
    }
    this.#kernel.schedule(node, 0, 'start', () => {
      this.#options.program(node, exit).catch(exit)
    })
  }

  startAfter(ms: number): void {
    if (this.#starting) return
    this.#starting = true
    this.#kernel.schedule(undefined, ms * 1000, `start ${this.name}`, () => this.start())
  }

  crash(): void {
    const node = this.#node
    if (node === undefined) return
    this.#node = undefined
    node.kill()
    this.#options.onCrash?.()
  }

  pause(ms: number): void {
    this.#node?.pause(ms)
  }
}
