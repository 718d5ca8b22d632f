/**
 * Writes a file under a temporary name in its own folder and moves it into place at the end, so that nobody sees half of it.
 * Chunks go to the system as they are, without a copy, gathered into large writes, while the caller makes the next ones.
 */
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import { AlluxioError, type Cancel, fromErrno, type Runtime } from '../../core/index.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import { temporaryName, touching } from '../temporary.ts'

const GATHER_BYTES = 2 ** 20
/** Most chunks of one gathered write: what every system takes (IOV_MAX). */
const GATHER_CHUNKS = 1024
/** Bytes after whose write the disk is made to take them, while more come: the sync at the end then waits for little. */
const SYNC_BYTES = 32 * 2 ** 20
/** Bytes taken from the caller and not yet written. */
const IN_FLIGHT_BYTES = 8 * 2 ** 20

export interface LocalWriterOptions extends UfsCreateOptions {
  /** Path below the root, for messages. */
  readonly path: string
  /** Absolute folder and name of the file. */
  readonly folder: string
  readonly name: string
  readonly sync: boolean
  /** Milliseconds after which the file is to be touched again and again, so that nobody takes it for a leftover. */
  readonly touchMs: number | undefined
}

export interface LocalWriterModules {
  readonly runtime: Runtime
  /** Sets mode and owner of the open file as the options say. */
  readonly dress: (file: FileHandle) => Promise<void>
  /** The status of the open file, under its final path. */
  readonly describe: (file: FileHandle) => Promise<UfsStatus>
}

export class LocalWriter implements UfsWriter {
  readonly #options: LocalWriterOptions
  readonly #modules: LocalWriterModules
  readonly #file: FileHandle
  readonly #temporary: string
  readonly #stopTouching: Cancel
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #position = 0
  #pendingBytes = 0
  /** Bytes written since the latest sync began. */
  #unsyncedBytes = 0
  #syncing: Promise<void> | undefined
  #tail: Promise<void> = Promise.resolve()
  #error: unknown
  #state: 'open' | 'closed' = 'open'

  private constructor(
    options: LocalWriterOptions,
    modules: LocalWriterModules,
    file: FileHandle,
    temporary: string,
  ) {
    this.#options = options
    this.#modules = modules
    this.#file = file
    this.#temporary = temporary
    // A change of mode is dated by the file system's own clock.
    const touch = async () => file.chmod((await file.stat()).mode & 0o7777)
    this.#stopTouching = touching(modules.runtime, options.touchMs, touch)
  }

  static async start(options: LocalWriterOptions, modules: LocalWriterModules): Promise<LocalWriter> {
    const temporary = `${options.folder === '/' ? '' : options.folder}/${temporaryName(modules.runtime)}`
    try {
      const file = await open(temporary, 'wx', options.mode ?? 0o666)
      return new LocalWriter(options, modules, file, temporary)
    } catch (error) {
      throw fromErrno(error, 'create', options.path)
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    if (chunk.length === 0) return
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    this.#pendingBytes += chunk.length
    if (this.#gatheredBytes >= GATHER_BYTES || this.#gathered.length >= GATHER_CHUNKS) this.#flush()
    while (this.#pendingBytes >= IN_FLIGHT_BYTES && this.#error === undefined) {
      this.#flush()
      await this.#tail
    }
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    this.#state = 'closed'
    try {
      this.#flush()
      await this.#tail
      await this.#syncing
      if (this.#error !== undefined) throw this.#error
      await this.#modules.dress(this.#file)
      if (this.#options.sync) await this.#file.datasync()
      const status = await this.#modules.describe(this.#file)
      this.#stopTouching()
      await this.#file.close()
      await this.#publish()
      return status
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    await this.#discard()
  }

  #check(): void {
    const { signal, path } = this.#options
    if (this.#state === 'closed') {
      throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    }
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  #flush(): void {
    if (this.#gathered.length === 0) return
    const chunks = this.#gathered
    const bytes = this.#gatheredBytes
    const position = this.#position
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#position += bytes
    // One write after the other: the system locks the file for each anyway, and errors stay in order.
    this.#tail = this.#tail.then(async () => {
      if (this.#error === undefined) {
        try {
          await writeAll(this.#file, chunks, bytes, position)
          this.#syncEarly(bytes)
        } catch (error) {
          this.#error = error
        }
      }
      this.#pendingBytes -= bytes
    })
  }

  #syncEarly(bytes: number): void {
    this.#unsyncedBytes += bytes
    if (!this.#options.sync || this.#unsyncedBytes < SYNC_BYTES || this.#syncing !== undefined) return
    this.#unsyncedBytes = 0
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => {
        // The system tells of a lost page once: the sync at the end would not know of it.
        this.#error ??= error
      })
      .finally(() => {
        this.#syncing = undefined
      })
  }

  async #publish(): Promise<void> {
    const { folder, name, ifAbsent, sync } = this.#options
    const target = `${folder === '/' ? '' : folder}/${name}`
    if (ifAbsent === true) {
      // A link is refused when the name exists, which a rename is not.
      await link(this.#temporary, target)
      await unlink(this.#temporary)
    } else await rename(this.#temporary, target)
    if (!sync) return
    const directory = await open(folder, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  async #failed(error: unknown): Promise<AlluxioError> {
    this.#state = 'closed'
    await this.#discard()
    return fromErrno(error, 'create', this.#options.path)
  }

  async #discard(): Promise<void> {
    this.#gathered = []
    await this.#tail
    await this.#syncing
    this.#stopTouching()
    await this.#file.close().catch(() => {})
    await unlink(this.#temporary).catch(() => {})
  }
}

/** A gathered write may stop early (a signal, a nearly full disk); the rest is written again from where it stopped. */
async function writeAll(
  file: FileHandle,
  chunks: readonly Uint8Array[],
  bytes: number,
  position: number,
): Promise<void> {
  let rest = chunks
  let done = 0
  for (;;) {
    const { bytesWritten } = await file.writev(rest, position + done)
    done += bytesWritten
    if (done === bytes) return
    rest = skip(rest, bytesWritten)
  }
}

function skip(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let left = bytes
  for (const chunk of chunks) {
    if (left < chunk.length) rest.push(chunk.subarray(left))
    left = Math.max(0, left - chunk.length)
  }
  return rest
}
