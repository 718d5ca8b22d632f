/** A few SSH connections that all calls share: opened when first needed, kept, and opened again when they break. */
import ssh2 from 'ssh2'
import { connectFailure, refuse, requestFailure } from './errors.mjs'
import { KnownHosts } from './known-hosts.mjs'

const READY_MS = 15_000
/** A server that is gone without a word is noticed after three of them. */
const KEEPALIVE_MS = 5000

export class Connections {
  #options
  #modules
  /** Promises of sessions: `{ sftp, alive, waiting }`. */
  #lanes = []
  #clients = new Set()
  #next = 0
  #closed = false

  constructor(options, modules) {
    this.#options = options
    this.#modules = modules
  }

  /** One request. `run` is handed the session and a callback. */
  async call(operation, path, signal, run) {
    return this.callOn(await this.session(signal), operation, path, signal, run)
  }

  /** A request on the session that its handle belongs to. */
  callOn(session, operation, path, signal, run) {
    this.#modules.onApiCall(operation)
    return new Promise((resolve, reject) => {
      const answer = (error, value) => {
        session.waiting.delete(answer)
        signal?.removeEventListener('abort', onAbort)
        if (error) reject(requestFailure(error, operation, path))
        else resolve(value)
      }
      const onAbort = () => {
        session.waiting.delete(answer)
        reject(signal.reason)
      }
      if (signal?.aborted) return onAbort()
      // ssh2 never answers what is asked after the connection broke.
      if (!session.alive) return answer(new Error('the connection broke'))
      signal?.addEventListener('abort', onAbort, { once: true })
      session.waiting.add(answer)
      try {
        run(session.sftp, answer)
      } catch (error) {
        answer(error)
      }
    })
  }

  /** The next session in turn. */
  async session(signal) {
    signal?.throwIfAborted()
    if (this.#closed) throw refuse('UNAVAILABLE', 'the store is closed')
    const lane = this.#next
    this.#next = (lane + 1) % this.#options.count
    this.#lanes[lane] ??= this.#connect(lane)
    const session = await this.#lanes[lane]
    signal?.throwIfAborted()
    return session
  }

  close() {
    this.#closed = true
    for (const client of this.#clients) client.end()
  }

  #connect(lane) {
    const { host, port, user, password, privateKey, passphrase, knownHosts } = this.#options
    const connecting = new Promise((resolve, reject) => {
      const known = new KnownHosts(knownHosts, host, port)
      const client = new ssh2.Client()
      const session = { sftp: undefined, alive: true, waiting: new Set() }
      let refusal
      const gone = (error) => {
        this.#clients.delete(client)
        if (this.#lanes[lane] === connecting) this.#lanes[lane] = undefined
        reject(refusal ?? connectFailure(error, this.#options))
        session.alive = false
        for (const answer of session.waiting) answer(new Error('the connection broke'))
      }
      client.once('close', () => gone(new Error('the server closed the connection')))
      // Errors after the first one, such as of a socket that is broken already, tell nothing new.
      client.on('error', gone)
      // Requests are small: held back for company (Nagle), each would cost 40 ms.
      client.once('connect', () => client.setNoDelay(true))
      client.once('ready', () =>
        client.sftp((error, sftp) => {
          if (error) return gone(error)
          session.sftp = sftp
          resolve(session)
        }),
      )
      this.#clients.add(client)
      client.connect({
        host,
        port,
        username: user,
        readyTimeout: READY_MS,
        keepaliveInterval: KEEPALIVE_MS,
        ...(password === undefined ? {} : { password }),
        ...(privateKey === undefined ? {} : { privateKey }),
        ...(passphrase === undefined ? {} : { passphrase }),
        ...(known.algorithms === undefined ? {} : { algorithms: { serverHostKey: known.algorithms } }),
        hostVerifier: (key) => {
          refusal = known.refusal(key)
          return refusal === undefined
        },
      })
    })
    connecting.catch(() => {
      if (this.#lanes[lane] === connecting) this.#lanes[lane] = undefined
    })
    return connecting
  }
}
