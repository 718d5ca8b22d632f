/** A block store for tests: on real folders or on a disk in memory, with a source that counts what is fetched. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDisk } from '../../src/arrow/index.ts'
import {
  type BlockId,
  blockIdOf,
  type FileId,
  type Log,
  Metrics,
  type Runtime,
  silentLog,
  systemRuntime,
} from '../../src/core/index.ts'
import {
  type BlockFetch,
  type BlockStore,
  type BlockStoreModules,
  type BlockStoreOptions,
  openBlockStore,
  type ReadRequest,
} from '../../src/store/index.ts'

export const MIB = 2 ** 20

export const block = (file: number, index = 0): BlockId => blockIdOf(file as FileId, index)

// Globals are slow inside Jest's context.
const { imul } = Math

/** Deterministic bytes of a block: every position is told from every other, and every block from the others. */
export function pattern(id: number, length: number, offset = 0): Buffer {
  const first = offset >>> 2
  const words = new Uint32Array(((offset + length + 3) >>> 2) - first)
  const seed = id * 7919
  for (let i = 0; i < words.length; i++) words[i] = imul(first + i + seed, 2654435761) ^ id
  return Buffer.from(words.buffer, offset & 3, length)
}

/** An under-store object that serves `pattern(id)` and remembers each request. */
export class Source {
  readonly requests: { readonly offset: number; readonly length: number }[] = []
  readonly #id: number
  readonly #length: number
  readonly #chunkBytes: number
  /** Awaited before each chunk. */
  gate: () => Promise<void> | void = () => {}

  constructor(id: number, length: number, chunkBytes = 64 * 1024) {
    this.#id = id
    this.#length = length
    this.#chunkBytes = chunkBytes
  }

  get fetchedBytes(): number {
    return this.requests.reduce((sum, { length }) => sum + length, 0)
  }

  readonly fetch: BlockFetch = (offset, length, signal) => this.#chunks(offset, length, signal)

  async *#chunks(offset: number, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.requests.push({ offset, length })
    const end = Math.min(offset + length, this.#length)
    for (let at = offset; at < end; at += this.#chunkBytes) {
      await this.gate()
      signal.throwIfAborted()
      yield pattern(this.#id, Math.min(this.#chunkBytes, end - at), at)
    }
  }
}

export function request(
  blockId: BlockId,
  blockLength: number,
  fields: Partial<ReadRequest> = {},
): ReadRequest {
  return {
    ...{ blockId, blockLength, offset: 0, length: blockLength },
    ...{ cache: true, promote: false, sequential: false },
    ...fields,
  }
}

export async function readAll(
  store: BlockStore,
  read: ReadRequest,
): Promise<{ bytes: Buffer; from: Record<string, number> }> {
  const pieces: Uint8Array[] = []
  const from: Record<string, number> = {}
  for await (const piece of store.read(read)) {
    pieces.push(Buffer.from(piece.bytes))
    from[piece.from] = (from[piece.from] ?? 0) + piece.bytes.length
    piece.release()
  }
  return { bytes: Buffer.concat(pieces), from }
}

/** A runtime whose time passes so many times faster. */
export function hastened(factor: number): Runtime {
  return {
    ...systemRuntime,
    monotonic: () => systemRuntime.monotonic() * factor,
    after: (ms, fn, unref) => systemRuntime.after(ms / factor, fn, unref),
  }
}

/** Waits until `holds` does; for what happens in the background. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  if (!holds()) throw new Error(`never: ${what}`)
}

export interface TestStore {
  readonly store: BlockStore
  readonly metrics: Metrics
  readonly log: string[]
}

export async function openStore(
  options: BlockStoreOptions,
  modules: Partial<BlockStoreModules> & { readonly runtime?: Runtime } = {},
): Promise<TestStore> {
  const metrics = new Metrics()
  const log: string[] = []
  const recording: Log = {
    ...silentLog,
    warn: (message) => log.push(message),
    error: (message) => log.push(message),
  }
  const store = await openBlockStore(
    { align: { enabled: false, intervalMs: 3_600_000 }, ...options },
    { disk: new FileDisk(), runtime: systemRuntime, log: recording, metrics, ...modules },
  )
  await store.start()
  return { store, metrics, log }
}

/** A folder that is removed at the end. @param parent such as /dev/shm */
export function temporaryFolder(parent = tmpdir()): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(parent, 'alluxio-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
