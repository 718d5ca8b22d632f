/** Keeps secret values out of errors: whatever a store or its SDK says, what leaves this layer does not hold them. */
import { AlluxioError, isAlluxioError, type Secret } from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { around, type ChunkSource, iterable, writerAround } from './around.ts'

/** Shorter values are no secrets worth hiding, and would blot out ordinary words. */
const LEAST_LENGTH = 4

export class Redaction {
  readonly #secrets: Secret[] = []

  /** Remembers a secret; returns it. */
  hide(secret: Secret): Secret {
    if (secret.reveal().length >= LEAST_LENGTH) this.#secrets.push(secret)
    return secret
  }

  get empty(): boolean {
    return this.#secrets.length === 0
  }

  text(text: string): string {
    let clean = text
    for (const secret of this.#secrets) {
      if (clean.includes(secret.reveal())) clean = clean.replaceAll(secret.reveal(), '***')
    }
    return clean
  }

  /** The error itself when nothing in it or its causes shows a secret, else a copy without. */
  error(error: unknown): unknown {
    if (this.#secrets.length === 0 || !(error instanceof Error || isAlluxioError(error))) return error
    if (!this.#shows(error, 0)) return error
    const message = this.text(error.message)
    if (!isAlluxioError(error)) {
      const clean = new AlluxioError('INTERNAL', message)
      clean.stack = this.text(error.stack ?? '')
      return clean
    }
    const clean = new AlluxioError(error.code, message, {
      ...(error.reason === undefined ? {} : { reason: error.reason }),
      ...(error.operation === undefined ? {} : { operation: error.operation }),
      details: JSON.parse(this.text(JSON.stringify(error.details))) as Record<string, unknown>,
      cause: this.error(error.cause),
    })
    clean.stack = this.text(error.stack ?? '')
    return clean
  }

  #shows(error: unknown, depth: number): boolean {
    if (depth > 8 || !(error instanceof Error)) return false
    const details = isAlluxioError(error) ? JSON.stringify(error.details) : ''
    const text = `${error.message}\n${error.stack ?? ''}\n${details}`
    return (
      this.#secrets.some((secret) => text.includes(secret.reveal())) || this.#shows(error.cause, depth + 1)
    )
  }
}

export function secretsLayer(store: UnderStore, redaction: Redaction): UnderStore {
  const clean = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run()
    } catch (error) {
      throw redaction.error(error)
    }
  }
  return around(store, {
    call: (call, run) => clean(() => run(call.signal)),
    read: (path, options, open) => iterable(() => new CleanRead(path, options, open, redaction)),
    write: (_path, writer) => writerAround(writer, (_kind, _bytes, run) => clean(run)),
  })
}

class CleanRead implements ChunkSource {
  readonly #inner: AsyncIterator<Uint8Array>
  readonly #redaction: Redaction

  constructor(path: string, options: UfsReadOptions, open: UnderStore['open'], redaction: Redaction) {
    this.#inner = open(path, options)[Symbol.asyncIterator]()
    this.#redaction = redaction
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    return this.#inner.next().catch((error: unknown) => {
      throw this.#redaction.error(error)
    })
  }

  async return(): Promise<void> {
    await this.#inner.return?.()
  }
}
