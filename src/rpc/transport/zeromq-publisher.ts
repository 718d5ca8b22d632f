/** Publishes over ZeroMQ: an XPUB socket, which tells who subscribes, so that nothing is made for nobody. */
import type * as zmq from 'zeromq'
import type { Publisher } from './transport.ts'

export class ZeroMqPublisher implements Publisher {
  readonly address: string
  readonly #socket: zmq.XPublisher
  readonly #topics = new Set<string>()
  readonly #pump: Promise<void>

  constructor(socket: zmq.XPublisher) {
    this.#socket = socket
    this.address = socket.lastEndpoint ?? ''
    this.#pump = this.#watch()
  }

  get wanted(): boolean {
    return this.#topics.size > 0
  }

  publish(topic: string, text: string): void {
    // A publisher never waits: a listener beyond its mark misses the message.
    if (!this.#socket.closed) this.#socket.send([topic, text]).catch(() => {})
  }

  async close(): Promise<void> {
    this.#socket.close()
    await this.#pump
  }

  /** libzmq tells the first subscription to a topic (1) and the end of the last one (0). */
  async #watch(): Promise<void> {
    while (!this.#socket.closed) {
      try {
        const [frame] = await this.#socket.receive()
        const topic = frame!.toString('latin1', 1)
        if (frame![0] === 1) this.#topics.add(topic)
        else this.#topics.delete(topic)
      } catch (error) {
        if (this.#socket.closed) return
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      }
    }
  }
}
