/**
 * APPEND, TRUNCATE and CONCAT. Files are immutable once they are whole, so all three copy: what stays and what comes is written aside and
 * takes the file's place in one step, with its attributes, if the file is still the one that was copied. Readers see the old bytes or the
 * new ones, and of two writers at once one fails.
 */
import type { IncomingMessage } from 'node:http'
import type { FileReader, FileSystem, FileWriter, GatewayKeys } from '../../client/index.ts'
import { AlluxioError, canonicalPath, isAlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { OPEN_FILE_PACE, receiveBody } from '../http/body.ts'
import { booleanJson, type Operation } from './operation.ts'

export interface RewritesOptions {
  /** Largest file that is made. */
  readonly maxBytes: number
}

export interface RewritesModules {
  readonly keys: GatewayKeys
  readonly runtime: Runtime
  readonly log: Log
}

const LEASE_MS = 30_000
const MAX_SOURCES = 1_000

export class Rewrites {
  readonly #options: RewritesOptions
  readonly #modules: RewritesModules

  constructor(options: RewritesOptions, modules: RewritesModules) {
    this.#options = options
    this.#modules = modules
  }

  /** Appends a request's body; resolves with its length. Nothing changes if it is cut off. */
  append(fs: FileSystem, path: string, request: IncomingMessage): Promise<number> {
    return this.#rewrite(fs, path, async (target, writer) => {
      await this.#copy(target, target.length, writer)
      const { runtime } = this.#modules
      const maxBytes = this.#options.maxBytes - target.length
      return receiveBody(request, writer, { runtime, maxBytes, ...OPEN_FILE_PACE })
    })
  }

  readonly truncate: Operation = async ({ fs, asked }) => {
    const length = asked.integer('newlength')
    if (length === undefined) asked.required('newlength')
    await this.#rewrite(fs, asked.path, async (target, writer) => {
      if (length! > target.length) {
        throw new AlluxioError(
          'INVALID_ARGUMENT',
          `Cannot truncate to a larger file size. Current size: ${target.length}, truncate size: ${length}.`,
        )
      }
      if (length === target.length) return 0
      await this.#copy(target, length!, writer)
      return target.length - length!
    })
    return booleanJson(true)
  }

  /** The sources go when the target is whole: if this is interrupted then, some of them are left. */
  readonly concat: Operation = async ({ fs, asked }) => {
    const { path } = asked
    const sources = asked.required('sources').split(',').map(canonicalPath)
    if (sources.length > MAX_SOURCES || new Set(sources).size < sources.length || sources.includes(path)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `the sources of a concatenation are at most ${MAX_SOURCES} different files, and not the target ${path}`,
      )
    }
    await this.#rewrite(fs, path, async (target, writer) => {
      await this.#copy(target, target.length, writer)
      for (const source of sources) {
        const reader = await fs.open(source)
        try {
          await this.#copy(reader, reader.length, writer)
        } finally {
          await reader.close()
        }
      }
      return 1
    })
    for (const source of sources) await fs.delete(source)
    return ''
  }

  /** @param write resolves with 0 when the file stays as it is; what it resolves with is answered */
  async #rewrite(
    fs: FileSystem,
    path: string,
    write: (target: FileReader, writer: FileWriter) => Promise<number>,
  ): Promise<number> {
    return this.#leased(path, async () => {
      const target = await fs.open(path).catch(writtenNow)
      try {
        const { fileId, blockSizeBytes } = target.status
        const writer = await fs.create(path, { staged: true, overwrite: true, blockSizeBytes })
        try {
          const changed = await write(target, writer)
          if (changed === 0) await writer.abort()
          else await writer.close({ expects: fileId, keeps: true })
          return changed
        } catch (error) {
          await writer.abort(error)
          throw error
        }
      } finally {
        await target.close()
      }
    })
  }

  async #copy(from: FileReader, length: number, writer: FileWriter): Promise<void> {
    const { maxBytes } = this.#options
    if (writer.bytesWritten + length > maxBytes) {
      throw new AlluxioError(
        'UNSUPPORTED',
        `${from.status.path}: a file of more than ${maxBytes} bytes cannot be changed: see alluxio.proxy.webhdfs.rewrite.max`,
      )
    }
    for await (const view of from.stream({ end: length })) await writer.write(view)
  }

  /** One writer at a time; a holder that dies loses it after a while. */
  async #leased<T>(path: string, change: () => Promise<T>): Promise<T> {
    const { keys, runtime, log } = this.#modules
    const holder = Buffer.from(runtime.randomBytes(new Uint8Array(12))).toString('base64url')
    await keys.lease(path, holder, LEASE_MS)
    let stop = () => {}
    const renew = () => {
      stop = runtime.after(LEASE_MS / 3, () => {
        keys.lease(path, holder, LEASE_MS).catch((error) => log.warn('lease not renewed', { path, error }))
        renew()
      })
    }
    renew()
    try {
      return await change()
    } finally {
      stop()
      await keys.lease(path, holder, 0).catch((error) => log.debug('lease not given back', { path, error }))
    }
  }
}

function writtenNow(error: unknown): never {
  if (isAlluxioError(error, 'CONFLICT') && error.reason === 'INCOMPLETE')
    throw new AlluxioError('CONFLICT', error.message, { reason: 'LEASE_HELD', cause: error })
  throw error
}
