/**
 * Writes a file under a temporary name in its own folder and moves it into place at the end. What fits into memory is sent in one
 * request that can be repeated; the rest is a stream to one DataNode, which cannot.
 */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { cancelled, type RetryPolicy } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import type { AttributeCalls } from './attribute-calls.ts'
import type { NameNodes } from './name-nodes.ts'
import { rename } from './rename.ts'
import { Upload } from './upload.ts'

/** Files up to this are sent at their end, in one request. */
const SMALL_BYTES = 4 * 2 ** 20
/** Bytes of a stream that are handed on together. */
const GATHER_BYTES = 2 ** 20

export interface HdfsWriterOptions extends UfsCreateOptions {
  /** Below the root of the store. */
  readonly path: string
  /** Final and temporary name, from the root of HDFS. */
  readonly place: string
  readonly temporary: string
}

export interface HdfsWriterModules {
  readonly nodes: NameNodes
  readonly attributes: AttributeCalls
  readonly retry: RetryPolicy
  /** Status of a place of HDFS, told as that of `path`. */
  readonly statusAt: (place: string, path: string, signal?: AbortSignal) => Promise<UfsStatus>
}

export class HdfsWriter implements UfsWriter {
  readonly #options: HdfsWriterOptions
  readonly #modules: HdfsWriterModules
  readonly #onAbort: () => void
  #chunks: Uint8Array[] = []
  #chunksBytes = 0
  #length = 0
  #upload: Upload | undefined
  /** Whether the temporary file may exist. */
  #begun = false
  #closed = false

  constructor(options: HdfsWriterOptions, modules: HdfsWriterModules) {
    this.#options = options
    this.#modules = modules
    this.#onAbort = () => this.#upload?.destroy()
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#chunksBytes += chunk.length
    this.#length += chunk.length
    if (this.#chunksBytes < (this.#upload === undefined ? SMALL_BYTES + 1 : GATHER_BYTES)) return
    try {
      this.#upload ??= await this.#stream()
      await this.#upload.write(this.#take())
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    const { path, temporary } = this.#options
    try {
      if (this.#upload === undefined) await this.#sendSmall()
      else {
        await this.#upload.write(this.#take())
        await this.#upload.end()
      }
      const written = await this.#retried('GETFILESTATUS', () => this.#modules.statusAt(temporary, path))
      if (written.length !== this.#length) {
        throw new AlluxioError(
          'UNAVAILABLE',
          `create ${path}: HDFS took ${written.length} of ${this.#length} bytes`,
          {
            reason: 'TRUNCATED',
          },
        )
      }
      const dressed = await this.#dress(written)
      await this.#publish(written)
      this.#finish()
      return dressed
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (this.#closed) return
    await this.#discard()
  }

  #check(): void {
    const { signal, path } = this.#options
    if (this.#closed) throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  #take(): Uint8Array[] {
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunksBytes = 0
    return chunks
  }

  #retried<T>(operation: string, step: (attempt: number) => Promise<T>): Promise<T> {
    return this.#modules.retry.run(operation, this.#options.path, this.#options.signal, step)
  }

  async #stream(): Promise<Upload> {
    // A long write that must fail at its end may as well fail before its first byte.
    await this.#refuseTarget()
    return this.#retried('CREATE', () => this.#begin())
  }

  #sendSmall(): Promise<void> {
    const bytes = this.#chunksBytes
    const chunks = this.#take()
    return this.#retried('CREATE', async () => {
      this.#upload = await this.#begin(bytes)
      await this.#upload.write(chunks)
      await this.#upload.end()
    })
  }

  async #begin(length?: number): Promise<Upload> {
    const { nodes } = this.#modules
    const { temporary, mode, createParents, signal } = this.#options
    const location = await nodes.locate({
      method: 'PUT',
      op: 'CREATE',
      path: temporary,
      query: {
        overwrite: true,
        createparent: createParents !== false,
        permission: mode === undefined ? undefined : (mode & 0o1777).toString(8),
      },
      signal,
    })
    if (signal?.aborted) throw cancelled(signal, 'create', this.#options.path)
    this.#begun = true
    const what = `CREATE ${this.#options.place}`
    return new Upload(
      { method: 'PUT', what, location, ...(length === undefined ? {} : { length }) },
      nodes.transport,
    )
  }

  async #refuseTarget(): Promise<void> {
    const { place, path, ifAbsent } = this.#options
    try {
      const { directory } = await this.#retried('GETFILESTATUS', () => this.#modules.statusAt(place, path))
      if (directory) throw new AlluxioError('IS_A_DIRECTORY', `create ${path}: it is a directory`)
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return
      throw error
    }
    if (ifAbsent === true) throw new AlluxioError('ALREADY_EXISTS', `create ${path}: it exists`)
  }

  /** Mode and owner that the create itself did not give. */
  async #dress(written: UfsStatus): Promise<UfsStatus> {
    const { attributes } = this.#modules
    const { temporary, signal, mode = written.mode!, owner = '', group = '' } = this.#options
    if (mode !== written.mode) {
      await this.#retried('SETPERMISSION', () => attributes.setMode(temporary, mode, signal))
    }
    const changes = (owner !== '' && owner !== written.owner) || (group !== '' && group !== written.group)
    if (changes) await this.#retried('SETOWNER', () => attributes.setOwner(temporary, owner, group, signal))
    return { ...written, mode, owner: owner || written.owner!, group: group || written.group! }
  }

  #publish(written: UfsStatus): Promise<void> {
    const { nodes, statusAt } = this.#modules
    const { place, path, temporary, ifAbsent, signal } = this.#options
    return this.#retried('RENAME', async (attempt) => {
      try {
        await rename(nodes, temporary, place, { replace: ifAbsent !== true, signal })
      } catch (error) {
        // An attempt whose answer was lost may have done it: the inode and so the fingerprint move along.
        const lost = attempt > 0 && isAlluxioError(error, 'NOT_FOUND')
        const there = lost ? await statusAt(place, path).catch(() => undefined) : undefined
        if (there?.fingerprint !== written.fingerprint) throw error
      }
    })
  }

  async #failed(error: unknown): Promise<unknown> {
    const { signal, path } = this.#options
    await this.#discard()
    return signal?.aborted ? cancelled(signal, 'create', path) : error
  }

  async #discard(): Promise<void> {
    this.#finish()
    this.#upload?.destroy()
    if (!this.#begun) return
    const { nodes, retry } = this.#modules
    const { temporary, path } = this.#options
    await retry
      .run('DELETE', path, undefined, () => nodes.call({ method: 'DELETE', op: 'DELETE', path: temporary }))
      .catch(() => {})
  }

  #finish(): void {
    this.#closed = true
    this.#take()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
