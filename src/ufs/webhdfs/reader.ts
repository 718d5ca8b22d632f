/**
 * Reads a range of a file. HDFS opens files by name and does not say which version it opened, so the version is looked at before the
 * DataNode opens the file (or given by the caller) and again after: when both agree, that is what is being read. Until then no byte
 * is handed out.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { Body } from '../http-transport/body.ts'
import type { ChunkSource } from '../layers/around.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsReadOptions, UfsStatus } from '../store.ts'
import { lengthIn } from './file-status.ts'
import type { HdfsCall, NameNodes } from './name-nodes.ts'

export interface HdfsReadModules {
  readonly nodes: NameNodes
  readonly status: (path: string, signal: AbortSignal | undefined) => Promise<UfsStatus>
}

const END: IteratorResult<Uint8Array> = { done: true, value: undefined }
/** Ranges may be asked for without an end; a Java long must hold it. */
const LONGEST = 2 ** 52

export class HdfsRead implements ChunkSource {
  readonly #path: string
  readonly #place: string
  readonly #options: UfsReadOptions
  readonly #modules: HdfsReadModules
  readonly #onAbort: () => void
  #body: Body | undefined
  /** Bytes still to come. */
  #missing = 0
  #ended = false
  #reject: ((error: unknown) => void) | undefined

  /** `path` is below the root of the store, `place` below that of HDFS. */
  constructor(path: string, place: string, options: UfsReadOptions, modules: HdfsReadModules) {
    this.#path = path
    this.#place = place
    this.#options = options
    this.#modules = modules
    this.#onAbort = () => {
      this.#finish()
      this.#reject?.(cancelled(options.signal, 'open', path))
    }
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const { signal } = this.#options
    if (signal?.aborted) throw cancelled(signal, 'open', this.#path)
    if (this.#ended) return END
    if (this.#body === undefined) {
      const body = await this.#open()
      if (body === undefined) {
        this.#ended = true
        return END
      }
      signal?.addEventListener('abort', this.#onAbort, { once: true })
      this.#body = body
    }
    if (this.#missing === 0) {
      this.#finish()
      return END
    }
    return this.#take(this.#body)
  }

  async return(): Promise<void> {
    this.#finish()
  }

  #take(body: Body): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      body.next({
        chunk: (given) => {
          const value = given.length > this.#missing ? given.subarray(0, this.#missing) : given
          this.#missing -= value.length
          resolve({ done: false, value })
        },
        ended: () => reject(this.#broken('it is too short')),
        broken: (what) => reject(this.#broken(what)),
      })
    })
  }

  #finish(): void {
    this.#ended = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#body?.destroy()
  }

  /** The body of the range, of which `#missing` bytes are to come; undefined for an empty range. */
  async #open(): Promise<Body | undefined> {
    const { fingerprint, signal, offset, length } = this.#options
    const known = fingerprint === undefined ? undefined : lengthIn(fingerprint)
    if (known === undefined || Math.min(length, known - offset) <= 0) {
      const before = await this.#look()
      this.#check(before, fingerprint)
      if (Math.min(length, before.length - offset) > 0) return this.#openAt(before.fingerprint, before.length)
      this.#options.onFingerprint?.(before.fingerprint)
      return undefined
    }
    try {
      return await this.#openAt(fingerprint!, known)
    } catch (error) {
      // It is gone, or another one now: that tells more than what the DataNode said.
      if (
        !isAlluxioError(error) ||
        signal?.aborted ||
        error.code === 'UNAVAILABLE' ||
        error.code === 'TIMEOUT'
      ) {
        throw error
      }
      this.#check(await this.#look(), fingerprint)
      throw error
    }
  }

  async #openAt(fingerprint: string, fileLength: number): Promise<Body> {
    const { nodes } = this.#modules
    const { offset, signal } = this.#options
    const length = Math.min(this.#options.length, fileLength - offset, LONGEST)
    const call: HdfsCall = { method: 'GET', op: 'OPEN', path: this.#place, query: { offset, length }, signal }
    const body = await nodes.open(call, offset, length)
    try {
      const after = await this.#look()
      this.#check(after, fingerprint)
    } catch (error) {
      body.destroy()
      throw error
    }
    this.#options.onFingerprint?.(fingerprint)
    this.#missing = length
    return body
  }

  #look(): Promise<UfsStatus> {
    return this.#modules.status(this.#path, this.#options.signal)
  }

  #check(status: UfsStatus, expected: string | undefined): void {
    if (status.directory) throw new AlluxioError('IS_A_DIRECTORY', `${this.#path} is a directory`)
    if (expected === undefined || status.fingerprint === expected) return
    if (this.#options.fingerprint === undefined) {
      throw new AlluxioError('UNAVAILABLE', `${this.#path} was replaced while it was being opened`, {
        reason: 'SOURCE_CHANGED',
      })
    }
    throw new AlluxioError('CONFLICT', `${this.#path} has changed in the under-store: refresh its metadata`, {
      reason: 'SOURCE_CHANGED',
      details: { expected, actual: status.fingerprint },
    })
  }

  #broken(what: string): AlluxioError {
    this.#finish()
    return new AlluxioError(
      'UNAVAILABLE',
      `OPEN ${this.#path}: the body broke off (${what}), ${this.#missing} bytes are missing`,
      { reason: 'TRUNCATED' },
    )
  }
}
