/**
 * Names of a directory in byte order. A server gives them in any order, so a listing reads them all and keeps the first
 * `WINDOW` after its cursor; the rest of a window serves the next pages of the same listing.
 */
import { describe } from './status.mjs'

const WINDOW = 32_768
const KEPT = 4
const KEPT_MS = 10_000

/** Files being written, which no listing shows. */
export const DRAFT = /^\.alluxio-sftp-[0-9a-f]{16}\.tmp$/

export class Listing {
  #connections
  #runtime
  #windows = new Map()

  constructor(connections, runtime) {
    this.#connections = connections
    this.#runtime = runtime
  }

  /** Entries after the name `after`, in order: `{ key, name, attributes }`. */
  async *entries(place, path, after, signal) {
    for (let from = keyOf(after); ; ) {
      const window =
        (from === '' ? undefined : this.#recall(place, from)) ?? (await this.#scan(place, path, from, signal))
      for (const entry of window.entries) if (entry.key > from) yield entry
      if (window.complete) return
      from = window.entries.at(-1).key
    }
  }

  /** All names of a directory in the server's order, some at a time. */
  async *batches(place, path, signal) {
    const session = await this.#connections.session(signal)
    const call = (operation, run) => this.#connections.callOn(session, operation, path, signal, run)
    const handle = await call('opendir', (sftp, done) => sftp.opendir(place, done))
    try {
      for (;;) {
        const batch = await call('readdir', (sftp, done) =>
          sftp.readdir(handle, (error, list) =>
            error?.code === 1 ? done(undefined, false) : done(error, list),
          ),
        )
        if (batch === false) return
        yield batch.filter(({ filename }) => filename !== '.' && filename !== '..')
      }
    } finally {
      if (session.alive) session.sftp.close(handle, () => {})
    }
  }

  #recall(place, from) {
    const window = this.#windows.get(place)
    if (window === undefined || window.from > from || this.#runtime.monotonic() - window.at > KEPT_MS)
      return undefined
    return window.complete || window.entries.at(-1).key > from ? window : undefined
  }

  async #scan(place, path, from, signal) {
    const at = this.#runtime.monotonic()
    const entries = []
    let complete = true
    const cut = () => {
      entries.sort((a, b) => (a.key < b.key ? -1 : 1))
      if (entries.length > WINDOW) {
        entries.length = WINDOW
        complete = false
      }
    }
    for await (const batch of this.batches(place, path, signal)) {
      for (const { filename: name, attrs } of batch) {
        const key = keyOf(name)
        // What is no file and no directory has no status, and a link may lead anywhere.
        if (key > from && !DRAFT.test(name) && describe('', attrs) !== undefined)
          entries.push({ key, name, attributes: attrs })
      }
      if (entries.length >= 2 * WINDOW) cut()
    }
    cut()
    const window = { from, entries, complete, at }
    this.#windows.delete(place)
    this.#windows.set(place, window)
    if (this.#windows.size > KEPT) this.#windows.delete(this.#windows.keys().next().value)
    return window
  }
}

/** Strings that compare as the bytes of the name do. */
function keyOf(name) {
  return Buffer.from(name).toString('latin1')
}
