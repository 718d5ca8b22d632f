/**
 * The event loop of the simulated world: virtual time, one heap of timers, nodes that can be killed.
 *
 * Why a run is deterministic: an event's callback runs in one turn of the host's event loop, then the kernel waits for the
 * host's next `setImmediate`. By then Node.js has drained the microtasks and `process.nextTick` queues, which are FIFO, so
 * every promise chain that the event set going has come to rest. Nothing in a world does host I/O or reads a host clock, so
 * nothing else can wake a chain in between: the next thing to run is the next event of the heap, ordered by (time, number).
 */
import { assert, type Cancel, type Runtime } from '../../../src/core/index.ts'
import { hostTurn } from './guard.ts'
import { Rng } from './rng.ts'
import type { Trace } from './trace.ts'

interface Event {
  atUs: number
  readonly order: number
  readonly node: SimNode | undefined
  readonly kind: string
  fn: (() => void) | undefined
}

/** A defect that the product itself showed: a throw out of a callback, a promise nobody handled. */
export interface Uncaught {
  readonly node: string
  readonly error: unknown
}

/** 2026-01-01T00:00:00Z: where virtual time begins. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

export interface KernelOptions {
  readonly seed: number
  /** Events after which a run is given up as not ending. */
  readonly maxEvents: number
}

export class Kernel {
  readonly options: KernelOptions
  readonly trace: Trace
  readonly uncaught: Uncaught[] = []
  readonly #heap = new EventHeap()
  #nowUs = 0
  #order = 0
  #events = 0
  #current: SimNode | undefined

  constructor(options: KernelOptions, modules: { readonly trace: Trace }) {
    this.options = options
    this.trace = modules.trace
  }

  /** Virtual microseconds since the world began. */
  get nowUs(): number {
    return this.#nowUs
  }

  get nowMs(): number {
    return this.#nowUs / 1000
  }

  get events(): number {
    return this.#events
  }

  /** The node whose event is running. */
  get current(): SimNode | undefined {
    return this.#current
  }

  rng(label: string): Rng {
    return new Rng(this.options.seed, label)
  }

  note(node: string, kind: string, detail = ''): void {
    this.trace.note(this.#nowUs, node, kind, detail)
  }

  /** Runs `fn` after `us` microseconds unless cancelled, or `node` died before. */
  schedule(node: SimNode | undefined, us: number, kind: string, fn: () => void): Cancel {
    const event: Event = {
      atUs: this.#nowUs + Math.max(0, Math.round(us)),
      order: this.#order++,
      node,
      kind,
      fn,
    }
    this.#heap.push(event)
    return () => {
      event.fn = undefined
    }
  }

  /** A process of this name starts; its timers die with it. */
  boot(name: string, clockSkewMs = 0): SimNode {
    this.note(name, 'boot')
    return new SimNode(name, clockSkewMs, this)
  }

  /**
   * Plays events until `until` holds (asked after each event), time `limitMs` is reached or no event is left.
   * @returns whether `until` held
   */
  async run(limitMs: number, until: () => boolean = () => false): Promise<boolean> {
    const limitUs = Math.round(limitMs * 1000)
    await settle()
    while (!until()) {
      const event = this.#heap.peek()
      if (event === undefined || event.atUs > limitUs) {
        this.#nowUs = Math.max(this.#nowUs, limitUs)
        return until()
      }
      this.#heap.pop()
      if (event.fn === undefined || event.node?.alive === false) continue
      if (event.node !== undefined && event.node.pausedUntilUs > event.atUs) {
        event.atUs = event.node.pausedUntilUs
        this.#heap.push(event)
        continue
      }
      assert(++this.#events <= this.options.maxEvents, `the world ran ${this.#events} events without an end`)
      this.#nowUs = event.atUs
      this.#play(event, event.fn)
      await settle()
    }
    return true
  }

  #play(event: Event, fn: () => void): void {
    this.#current = event.node
    this.trace.note(event.atUs, event.node?.name ?? 'world', event.kind)
    try {
      fn()
    } catch (error) {
      this.uncaught.push({ node: event.node?.name ?? 'world', error })
    }
  }
}

/** One life of a process: from boot to crash. It hands out the Runtime that the process runs on. */
export class SimNode {
  readonly name: string
  readonly runtime: Runtime
  readonly kernel: Kernel
  readonly #dying: (() => void)[] = []
  #alive = true
  #pausedUntilUs = 0

  constructor(name: string, clockSkewMs: number, kernel: Kernel) {
    this.name = name
    this.kernel = kernel
    const rng = kernel.rng(`${name}#${kernel.nowUs}`)
    const guarded = (kind: string, us: number, fn: () => void): Cancel =>
      this.#alive ? kernel.schedule(this, us, kind, fn) : () => {}
    this.runtime = {
      now: () => EPOCH_MS + Math.floor(kernel.nowUs / 1000) + clockSkewMs,
      monotonic: () => kernel.nowUs / 1000,
      // Node.js has no timer below a millisecond either.
      after: (ms, fn) => guarded('timer', Math.max(1, ms) * 1000, fn),
      defer: (fn) => {
        guarded('defer', 0, fn)
      },
      random: () => rng.unit(),
      randomBytes: (bytes) => rng.fill(bytes),
    }
  }

  get alive(): boolean {
    return this.#alive
  }

  get pausedUntilUs(): number {
    return this.#pausedUntilUs
  }

  /** The process stands still for a while (a long collection, SIGSTOP); then everything that fell due runs in order. */
  pause(ms: number): void {
    this.kernel.note(this.name, 'paused', ms.toFixed(3))
    this.#pausedUntilUs = Math.max(this.#pausedUntilUs, this.kernel.nowUs + Math.round(ms * 1000))
  }

  /** Calls `fn` when this node dies: what the outside world does about it (connections break, a disk reverts). */
  onDeath(fn: () => void): void {
    this.#dying.push(fn)
  }

  /** The process is gone between two events; nothing of it ever runs again. */
  kill(): void {
    if (!this.#alive) return
    this.kernel.note(this.name, 'killed')
    this.#alive = false
    for (const fn of this.#dying) fn()
  }
}

/** Resolves when the host has drained all that is runnable now. */
export function settle(): Promise<void> {
  return new Promise((resolve) => hostTurn(resolve))
}

class EventHeap {
  readonly #items: Event[] = []

  peek(): Event | undefined {
    return this.#items[0]
  }

  push(event: Event): void {
    const items = this.#items
    let at = items.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = event
  }

  pop(): void {
    const items = this.#items
    const last = items.pop()
    if (last === undefined || items.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++
      if (!before(items[child]!, last)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
  }
}

function before(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order)
}
