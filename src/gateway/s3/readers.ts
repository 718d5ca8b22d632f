/**
 * Open readers, kept for a few seconds: who reads the same object again pays for one call to the master, which says what the
 * object is now and whether this user may read it, and for nothing else.
 */
import type { FileReader, FileStatus, FileSystem } from '../../client/index.ts'
import { type Cancel, every, type Log, type Runtime } from '../../core/index.ts'

export interface ReadersOptions {
  /** Readers kept open. @default 512 */
  readonly maxReaders?: number
  /** How long one is kept that nobody uses, ms: it holds its blocks' space until then. @default 10 s */
  readonly maxIdleMs?: number
}

interface Kept {
  readonly reader: FileReader
  /** Whose connection it reads by: when that is closed nobody else can go on with it. */
  readonly fs: FileSystem
  readonly length: number
  readonly fingerprint: string
  users: number
  lastUsedMs: number
  /** Not to be used again. */
  closed: boolean
}

/** What was opened, to be given back. */
export interface Opened {
  /** As it is now. */
  readonly status: FileStatus
  readonly reader: FileReader
  close(): void
}

export class Readers {
  readonly name = 's3-readers'
  readonly #maxReaders: number
  readonly #maxIdleMs: number
  readonly #modules: { readonly runtime: Runtime; readonly log: Log }
  /** By file; least lately used first. */
  readonly #kept = new Map<number, Kept>()
  #cancel: Cancel = () => {}

  constructor(
    { maxReaders = 512, maxIdleMs = 10_000 }: ReadersOptions,
    modules: { readonly runtime: Runtime; readonly log: Log },
  ) {
    this.#maxReaders = maxReaders
    this.#maxIdleMs = maxIdleMs
    this.#modules = modules
  }

  start(): void {
    const { runtime, log } = this.#modules
    this.#cancel = every(
      runtime,
      this.#maxIdleMs / 2,
      () => this.#closeIdle(),
      (error) => log.warn('idle readers', { error }),
    )
  }

  stop(): void {
    this.#cancel()
    for (const id of [...this.#kept.keys()]) this.#forget(id)
  }

  /** @throws as `FileSystem.open` */
  async open(fs: FileSystem, path: string): Promise<Opened> {
    let now: FileStatus | undefined
    let kept: Kept | undefined
    const reader = await fs.open(path, {
      known: (status) => {
        now = status
        kept = this.#find(fs, status)
        return kept?.reader
      },
    })
    const status = now ?? reader.status
    kept ??= this.#keep(fs, status, reader)
    kept.users++
    return new OpenedReader(status, kept, () => this.#released(kept!))
  }

  #find(fs: FileSystem, status: FileStatus): Kept | undefined {
    const kept = this.#kept.get(status.fileId)
    if (kept === undefined) return undefined
    const isSame = kept.length === status.length && kept.fingerprint === status.ufsFingerprint
    if (isSame && kept.fs === fs) return kept
    this.#forget(status.fileId)
    return undefined
  }

  #keep(fs: FileSystem, status: FileStatus, reader: FileReader): Kept {
    this.#forget(status.fileId)
    const { length, ufsFingerprint: fingerprint } = status
    const kept: Kept = { reader, fs, length, fingerprint, users: 0, lastUsedMs: 0, closed: false }
    this.#kept.set(status.fileId, kept)
    if (this.#kept.size > this.#maxReaders) this.#forget(this.#kept.keys().next().value!)
    return kept
  }

  #released(kept: Kept): void {
    kept.users--
    kept.lastUsedMs = this.#modules.runtime.monotonic()
    if (kept.closed && kept.users === 0) this.#close(kept)
  }

  #forget(fileId: number): void {
    const kept = this.#kept.get(fileId)
    if (kept === undefined) return
    this.#kept.delete(fileId)
    kept.closed = true
    if (kept.users === 0) this.#close(kept)
  }

  #close({ reader }: Kept): void {
    const { log } = this.#modules
    reader.close().catch((error) => log.debug('reader not closed', { path: reader.status.path, error }))
  }

  #closeIdle(): void {
    const before = this.#modules.runtime.monotonic() - this.#maxIdleMs
    for (const [id, { users, lastUsedMs }] of this.#kept) {
      if (users === 0 && lastUsedMs < before) this.#forget(id)
    }
  }
}

class OpenedReader implements Opened {
  readonly status: FileStatus
  readonly reader: FileReader
  readonly #release: () => void
  #closed = false

  constructor(status: FileStatus, { reader }: Kept, release: () => void) {
    this.status = status
    this.reader = reader
    this.#release = release
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#release()
  }
}
