/**
 * The wire between the hosts of a world: the product's in-memory transport under a seeded model of delays, losses and cut
 * links. A lost message ends its session, as a broken TCP connection does; a link cut in one direction holds messages back
 * (TCP sends them again) until it is open.
 */
import { crc32c } from '@node-rs/crc32'
import { MemoryNetwork, type NetworkModel } from '../../../src/rpc/transport/memory.ts'
import type { Transport } from '../../../src/rpc/transport/transport.ts'
import type { Kernel, SimNode } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'
import type { NetworkOptions } from '../options.ts'

export class SimNetwork implements NetworkModel {
  readonly #options: NetworkOptions
  readonly #kernel: Kernel
  readonly #rng: Rng
  readonly #memory: MemoryNetwork
  /** Until when (milliseconds) messages from one host to another are held: `from>to`. */
  readonly #held = new Map<string, number>()
  readonly #cut: { a: string; b: string }[] = []
  #dropNext = false
  #faulty = true

  constructor(options: NetworkOptions, modules: { readonly kernel: Kernel }) {
    this.#options = options
    this.#kernel = modules.kernel
    this.#rng = modules.kernel.rng('network')
    const { runtime } = modules.kernel.boot('network')
    this.#memory = new MemoryNetwork({ model: this, reconnectMs: 20 }, { runtime })
  }

  deliver(from: string, to: string, bytes: number): number | 'drop' {
    if (this.#dropNext) {
      this.#dropNext = false
      this.#kernel.note('network', 'lost', `${from}>${to} ${bytes} bytes`)
      return 'drop'
    }
    const jitter =
      this.#faulty && this.#options.jitterMs > 0 ? this.#rng.exponential(this.#options.jitterMs) : 0
    const held = Math.max(0, (this.#held.get(`${from}>${to}`) ?? 0) - this.#kernel.nowMs)
    return held + this.#options.delayMs + jitter
  }

  /**
   * The transport of one life of a process on `host`. What arrives becomes an event of the process, so that it meets a
   * paused one later and a dead one never.
   */
  transport(node: SimNode, host: string): Transport {
    const inner = this.#memory.host(host)
    node.onDeath(() => this.#memory.kill(host))
    const arrive = (from: string, frames: Uint8Array[], fn: () => void) =>
      this.#kernel.schedule(node, 0, `message ${from} ${summary(frames)}`, fn)
    const guarded = (what: string, fn: () => void) => this.#kernel.schedule(node, 0, what, fn)
    return {
      listen: (address, onMessage) =>
        inner.listen(address, (peer, frames) => arrive(peer, frames, () => onMessage(peer, frames))),
      connect: (address, onMessage, events = {}) => {
        const { up, down, trouble } = events
        const connection = inner.connect(
          address,
          (frames) => arrive(address, frames, () => onMessage(frames)),
          {
            ...(up && { up: () => guarded(`up ${address}`, up) }),
            ...(down && { down: (why: string) => guarded(`down ${address}`, () => down(why)) }),
            ...(trouble && { trouble: (why: string) => guarded(`trouble ${address}`, () => trouble(why)) }),
          },
        )
        return {
          send: (frames, sent) => (node.alive ? connection.send(frames, sent) : undefined),
          reset: (waitMs) => (node.alive ? connection.reset(waitMs) : undefined),
          close: () => connection.close(),
        }
      },
    }
  }

  /** The next message, whose ever it is, is lost. */
  loseOne(): void {
    this.#dropNext = true
  }

  /** Nothing passes between two hosts for a while; what they send meanwhile is lost. */
  cut(a: string, b: string, ms: number): void {
    this.#kernel.note('network', 'cut', `${a} ${b} ${ms.toFixed(1)}`)
    const link = { a, b }
    this.#cut.push(link)
    this.#memory.cut(a, b)
    this.#kernel.schedule(undefined, ms * 1000, 'mend', () => this.#mend(link))
  }

  /** Nothing passes from one host to another for a while; what is sent meanwhile arrives afterwards. */
  hold(from: string, to: string, ms: number): void {
    this.#kernel.note('network', 'hold', `${from}>${to} ${ms.toFixed(1)}`)
    this.#held.set(`${from}>${to}`, this.#kernel.nowMs + ms)
  }

  /** No faults from now on. */
  heal(): void {
    this.#faulty = false
    this.#dropNext = false
    this.#held.clear()
    for (const link of [...this.#cut]) this.#mend(link)
  }

  #mend(link: { a: string; b: string }): void {
    const at = this.#cut.indexOf(link)
    if (at < 0) return
    this.#cut.splice(at, 1)
    if (!this.#cut.some(({ a, b }) => a === link.a && b === link.b)) this.#memory.heal(link.a, link.b)
  }
}

function summary(frames: readonly Uint8Array[]): string {
  let sum = 0
  let bytes = 0
  for (const frame of frames) {
    sum = crc32c(frame, sum)
    bytes += frame.length
  }
  return `${bytes} ${sum.toString(16)}`
}
