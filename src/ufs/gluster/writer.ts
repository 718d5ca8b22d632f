/**
 * Writes a file under a temporary name in its own folder and moves it into place at the end, so that nobody sees half of it.
 * One write at a time, while the caller makes the next bytes; small chunks are gathered.
 */
import { AlluxioError, type Cancel, isAlluxioError, type Runtime } from '../../core/index.ts'
import { cancelled } from '../layers/retry-policy.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter } from '../store.ts'
import { touching } from '../temporary.ts'
import type { Stat } from './layout.ts'
import type { Asking, OpenFile } from './open-files.ts'
import type { Volume } from './volume.ts'

/** Longest write of one call. */
const WRITE_BYTES = 2 ** 20
/** Chunks from here on are written as they are. */
const LARGE_BYTES = 2 ** 18
/** Bytes taken from the caller and not yet written. */
const IN_FLIGHT_BYTES = 8 * 2 ** 20

export interface GlusterWriterOptions extends UfsCreateOptions {
  /** Places in the volume. */
  readonly temporary: string
  readonly target: string
  readonly sync: boolean
  /** -1 leaves it as the volume makes it. */
  readonly uid: number
  readonly gid: number
  /** Milliseconds after which the file is to be touched again and again, so that nobody takes it for a leftover. */
  readonly touchMs: number | undefined
}

export interface GlusterWriterModules {
  readonly runtime: Runtime
  readonly volume: Volume
  readonly file: OpenFile
  readonly describe: (stat: Stat) => UfsStatus
  readonly translated: (error: unknown) => AlluxioError
}

export class GlusterWriter implements UfsWriter {
  readonly #options: GlusterWriterOptions
  readonly #asking: Asking
  /** For what has to be done when the caller has left already. */
  readonly #cleaning: Asking
  readonly #m: GlusterWriterModules
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #position = 0
  #pendingBytes = 0
  #tail: Promise<void> = Promise.resolve()
  #error: unknown
  #open = true
  #fileClosed = false
  readonly #stopTouching: Cancel

  constructor(options: GlusterWriterOptions, path: string, modules: GlusterWriterModules) {
    this.#options = options
    this.#asking = { path, signal: options.signal }
    this.#cleaning = { path }
    this.#m = modules
    const { touchMs, temporary } = options
    // A change of mode is dated by the brick's clock.
    const touch = async () => {
      const { mode } = await modules.volume.lstat(temporary, this.#cleaning)
      if (this.#open) await modules.file.chmod(mode, this.#cleaning)
    }
    this.#stopTouching = touching(modules.runtime, touchMs, touch)
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    if (chunk.length === 0) return
    this.#pendingBytes += chunk.length
    if (chunk.length >= LARGE_BYTES) {
      this.#flush()
      this.#append([chunk], chunk.length)
    } else {
      this.#gathered.push(chunk)
      this.#gatheredBytes += chunk.length
      if (this.#gatheredBytes >= WRITE_BYTES) this.#flush()
    }
    while (this.#pendingBytes >= IN_FLIGHT_BYTES && this.#error === undefined) {
      this.#flush()
      await this.#tail
    }
    if (this.#error !== undefined) throw await this.#failed(this.#error)
  }

  async close(): Promise<UfsStatus> {
    this.#check()
    this.#open = false
    this.#stopTouching()
    const { volume, file, describe } = this.#m
    const { temporary, target, ifAbsent, sync, uid, gid, mode } = this.#options
    try {
      this.#flush()
      await this.#tail
      if (this.#error !== undefined) throw this.#error
      if (uid !== -1 || gid !== -1) {
        await file.chown(uid, gid, this.#asking)
        // A change of owner takes the set-id bits away.
        if (mode !== undefined) await file.chmod(mode & 0o7777, this.#asking)
      }
      if (sync) await file.sync(this.#asking)
      // The library writes behind; what became of its last writes is told by the close.
      this.#fileClosed = true
      await file.close(this.#asking)
      const status = describe(await volume.lstat(temporary, this.#asking))
      if (status.length !== this.#position) throw this.#short(status.length)
      if (ifAbsent === true) {
        // A link is refused when the name exists, which a rename is not.
        await volume.link(temporary, target, this.#asking)
        await volume.unlink(temporary, this.#cleaning)
      } else await volume.rename(temporary, target, this.#asking)
      return status
    } catch (error) {
      throw await this.#failed(error)
    }
  }

  async abort(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#discard()
  }

  #check(): void {
    const { path, signal } = this.#asking
    if (!this.#open) throw new AlluxioError('INVALID_ARGUMENT', `create ${path}: the writer is closed`)
    if (signal?.aborted) throw cancelled(signal, 'create', path)
  }

  #flush(): void {
    if (this.#gathered.length === 0) return
    const chunks = this.#gathered
    const bytes = this.#gatheredBytes
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#append(chunks, bytes)
  }

  #append(chunks: readonly Uint8Array[], bytes: number): void {
    const position = this.#position
    this.#position += bytes
    this.#tail = this.#tail.then(async () => {
      if (this.#error === undefined) {
        try {
          await this.#writeAll(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes), position)
        } catch (error) {
          this.#error = error
        }
      }
      this.#pendingBytes -= bytes
    })
  }

  async #writeAll(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + WRITE_BYTES)
      const taken = await this.#m.file.write(part, position + done, this.#asking)
      if (taken === 0) throw this.#short(position + done)
      done += taken
    }
  }

  #short(length: number): AlluxioError {
    return new AlluxioError(
      'UNAVAILABLE',
      `create ${this.#asking.path}: only ${length} of ${this.#position} bytes were taken`,
      {
        reason: 'SHORT_WRITE',
      },
    )
  }

  async #failed(error: unknown): Promise<AlluxioError> {
    this.#open = false
    await this.#discard()
    return isAlluxioError(error) ? error : this.#m.translated(error)
  }

  async #discard(): Promise<void> {
    this.#stopTouching()
    const { volume, file } = this.#m
    this.#gathered = []
    this.#error ??= 'discarded'
    await this.#tail
    // Whoever gave up waiting for a volume that is gone must not wait for it again.
    const removing = (async () => {
      if (!this.#fileClosed) await file.close(this.#cleaning).catch(() => {})
      await volume.remove(this.#options.temporary, this.#cleaning)
    })()
    if (volume.stuck === 0) await removing
  }
}
