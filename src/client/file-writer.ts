/** A file being written. Small files are kept until they are whole and go with one call; larger ones go as they come. */
import { Writable } from 'node:stream'
import {
  AlluxioError,
  backoffMs,
  errorCode,
  type FileId,
  type Log,
  sleep,
  toAlluxioError,
} from '../core/index.ts'
import type { LocationPolicy, WriteType } from '../core/options/index.ts'
import type { Client, Infer, MasterFs } from '../rpc/index.ts'
import { Adoption } from './adoption.ts'
import { BlockStream, type BlockStreamModules, type WrittenFile } from './block-stream.ts'
import { type EntryStatus, statusOfEntry } from './file-status.ts'
import type { Source } from './open-file.ts'
import type { CloseOptions, FileStatus, FileWriter } from './types.ts'

export interface NewFile {
  readonly status: EntryStatus
  readonly source: Source | undefined
  readonly writeType: WriteType
  readonly policy: LocationPolicy
  readonly retryMs: number
  readonly signal: AbortSignal | undefined
  /** Where a file comes to be that is written aside. */
  readonly publish: Publish | undefined
}

type Publish = NonNullable<Infer<(typeof MasterFs)['methods']['complete']['request']>['publish']>

export interface FileWriterModules extends BlockStreamModules {
  readonly fs: Client<typeof MasterFs>
  readonly log: Log
  readonly commandId: () => Uint8Array
}

/** Files up to this size go with one call. */
const SMALL_BYTES = 2 ** 20
const NO_BYTES = new Uint8Array(0)
const PERSIST_POLL_MS = 20
const MAX_PERSIST_POLL_MS = 1_000

function isThrough(writeType: WriteType): boolean {
  return writeType === 'THROUGH' || writeType === 'CACHE_THROUGH'
}

export class BlockedFileWriter implements FileWriter {
  readonly path: string
  readonly #file: NewFile
  readonly #modules: FileWriterModules
  readonly #smallBytes: number
  #stream: BlockStream | undefined
  #adoption: Adoption | undefined
  /** The bytes so far, while they are few. */
  readonly #small: Uint8Array[] = []
  #written = 0
  #last: Promise<void> | undefined
  #state: 'open' | 'closing' | 'ended' = 'open'
  #failure: unknown
  #takingBack: Promise<void> | undefined

  constructor(file: NewFile, modules: FileWriterModules) {
    this.#file = file
    this.#modules = modules
    this.path = file.publish?.path ?? file.status.path
    this.#smallBytes = Math.min(SMALL_BYTES, file.status.blockSizeBytes)
  }

  get fileId(): FileId {
    return this.#file.status.fileId
  }

  get bytesWritten(): number {
    return this.#written
  }

  write(chunk: Uint8Array): Promise<void> {
    const before = this.#last
    const write = before === undefined ? this.#write(chunk) : before.then(() => this.#write(chunk))
    const settled = () => {
      if (this.#last === write) this.#last = undefined
    }
    this.#last = write
    write.then(settled, settled)
    return write
  }

  async #write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen()
    try {
      this.#file.signal?.throwIfAborted()
      if (this.#stream === undefined) {
        if (this.#adoption !== undefined)
          throw new AlluxioError('INVALID_ARGUMENT', `${this.path} is made of adopted blocks: it is whole`)
        if (this.#written + chunk.length <= this.#smallBytes) {
          this.#keep(chunk)
          return
        }
        this.#stream = this.#openStream()
        for (const bytes of this.#small.splice(0)) await this.#stream.append(bytes)
      }
      await this.#stream.append(chunk)
      this.#written += chunk.length
    } catch (error) {
      this.#failure = error
      // The file cannot be finished any more, whether or not its writer says so.
      this.#takingBack ??= this.#takeBack(false)
      throw error
    }
  }

  #keep(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    const copy = Buffer.allocUnsafeSlow(chunk.length)
    copy.set(chunk)
    this.#small.push(copy)
    this.#written += chunk.length
  }

  async adopt(files: readonly FileStatus[]): Promise<boolean> {
    this.#checkOpen()
    if (this.#written > 0 || this.#file.publish === undefined) return false
    this.#adoption = await Adoption.take(this.#file.status, files, this.#modules)
    if (this.#adoption === undefined) return false
    this.#written = this.#adoption.lengthBytes
    return true
  }

  #openStream(): BlockStream {
    const { status, source, writeType, policy, retryMs, publish } = this.#file
    const through = publish === undefined && isThrough(writeType)
    const cached = !through || writeType !== 'THROUGH'
    return new BlockStream({ status, source, cached, through, policy, retryMs }, this.#modules)
  }

  async close(options: CloseOptions = {}): Promise<FileStatus> {
    await this.#last?.catch(() => {})
    await this.#takingBack
    this.#checkOpen()
    this.#state = 'closing'
    let completing = false
    try {
      const file = await this.#finish()
      completing = true
      const status = await this.#complete(file, options)
      this.#state = 'ended'
      return this.#file.publish !== undefined && isThrough(this.#file.writeType)
        ? await this.#persisted(status)
        : status
    } catch (error) {
      this.#failure = error
      const code = errorCode(error)
      // Whether the master has completed the file is not known then: a complete file must not be taken away.
      const unknown = completing && (code === 'UNAVAILABLE' || code === 'TIMEOUT')
      this.#takingBack = this.#takeBack(unknown)
      await this.#takingBack
      throw error
    }
  }

  #finish(): Promise<WrittenFile> | WrittenFile {
    if (this.#stream !== undefined) return this.#stream.finish()
    if (this.#adoption !== undefined) return this.#adoption
    const { writeType } = this.#file
    const isEmpty = this.#written === 0
    if (isEmpty && (this.#file.publish !== undefined || !isThrough(writeType))) return { blocks: [] }
    this.#stream = this.#openStream()
    const [first = NO_BYTES, ...rest] = this.#small.splice(0)
    return this.#stream.small(rest.length === 0 ? first : Buffer.concat([first, ...rest]))
  }

  async #complete(
    { blocks, fingerprint }: WrittenFile,
    { expects, xattr, keeps, follows }: CloseOptions,
  ): Promise<FileStatus> {
    const { status, writeType, publish } = this.#file
    const { fs, commandId } = this.#modules
    const { entry } = await fs.complete({
      path: status.path,
      fileId: status.fileId,
      commandId: commandId(),
      length: this.#written,
      blocks: blocks.map(({ id, workerId, tier }) => ({ id, workerId, tier })),
      persistAsync: writeType === 'ASYNC_THROUGH' || (publish !== undefined && isThrough(writeType)),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(publish === undefined
        ? {}
        : {
            publish: {
              ...publish,
              ...(expects === undefined ? {} : { expects }),
              ...(xattr === undefined ? {} : { xattr: { ...xattr } }),
              ...(keeps === undefined ? {} : { keeps }),
              ...(follows === undefined ? {} : { follows }),
            },
          }),
    })
    return statusOfEntry(this.path, entry)
  }

  /** The through types promise the object in the under-store. A file that was replaced meanwhile has nothing to promise any more. */
  async #persisted(published: FileStatus): Promise<FileStatus> {
    const { fs, runtime } = this.#modules
    let status = published
    for (let attempt = 0; ; attempt++) {
      if (status.fileId !== published.fileId || status.persisted) break
      if (status.persistenceState === 'LOST')
        throw new AlluxioError('DATA_LOSS', `${this.path} was lost before it was in the under-store`)
      await sleep(
        runtime,
        backoffMs(runtime, attempt, PERSIST_POLL_MS, MAX_PERSIST_POLL_MS),
        this.#file.signal,
      )
      status = statusOfEntry(this.path, (await fs.getStatus({ path: this.path })).entry)
    }
    if (this.#file.writeType === 'THROUGH' && status.fileId === published.fileId)
      await fs.free({ path: this.path, recursive: false, forced: true })
    return status
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#last?.catch(() => {})
    if (this.#state === 'open') {
      this.#failure ??= reason ?? new AlluxioError('CANCELLED', `${this.path}: the writer gave up`)
      this.#takingBack ??= this.#takeBack(false)
    }
    await this.#takingBack
  }

  /** Nothing of the file stays, as far as the cluster can be reached; what cannot be is found by its owners later. */
  async #takeBack(mayBeComplete: boolean): Promise<void> {
    this.#state = 'ended'
    this.#small.length = 0
    if (mayBeComplete) return
    const { fs, log, commandId } = this.#modules
    try {
      await (this.#adoption?.giveBack() ?? this.#stream?.abort())
      const { path, fileId } = this.#file.status
      const now = statusOfEntry(path, (await fs.getStatus({ path })).entry)
      // Somebody may have removed this file meanwhile and made another one.
      if (now.fileId !== fileId || now.completed) return
      await fs.delete({ path, commandId: commandId(), recursive: false, alluxioOnly: true, unchecked: true })
    } catch (error) {
      log.debug('incomplete file not taken back', { path: this.path, error })
    }
  }

  writable(): Writable {
    return new Writable({
      highWaterMark: 2 ** 20,
      write: (chunk: Uint8Array, _encoding, done) => {
        this.write(chunk).then(() => done(), done)
      },
      final: (done) => {
        this.close().then(() => done(), done)
      },
      destroy: (error, done) => {
        if (this.#state !== 'open') return done(error)
        this.abort(error ?? undefined).then(() => done(error), done)
      },
    })
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw toAlluxioError(this.#failure, 'write')
    if (this.#state !== 'open') {
      throw new AlluxioError('INVALID_ARGUMENT', `${this.path}: the writer is closed`)
    }
  }
}
