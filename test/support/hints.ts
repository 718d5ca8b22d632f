/** A cluster in memory for tests and benchmarks of hints: workers, their blocks, and files, without daemons. */
import { blockIdOf, type FileId, type WorkerId } from '../../src/core/index.ts'
import { BlockMap } from '../../src/namespace/index.ts'
import {
  type HintedFile,
  Hints,
  parseHostAliases,
  parseRates,
  type Split,
  type WorkerFact,
  type WorkerFacts,
} from '../../src/scheduler/index.ts'

export const RATES = parseRates(['MEM=10GB', 'SSD=2GB', 'HDD=200MB', 'REMOTE=1GB', 'STORE=100MB'], 'rates')
const TIERS = [{ alias: 'MEM' }, { alias: 'SSD' }, { alias: 'HDD' }]

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class HintWorld implements WorkerFacts {
  readonly blocks = new BlockMap()
  readonly workers = new Map<number, Mutable<WorkerFact>>()
  readonly hints: Hints
  version = 0
  nowMs = 1_000_000
  #collected = false

  constructor({ aliases = '', timeoutMs = 10_000 }: { aliases?: string; timeoutMs?: number } = {}) {
    const modules = { blocks: this.blocks, workers: this, aliases: parseHostAliases(aliases, 'aliases') }
    this.hints = new Hints({ timeoutMs, rates: RATES }, modules)
  }

  all(): Iterable<WorkerFact> {
    this.#collected = true
    return this.workers.values()
  }

  /** A new worker; if others were seen already, late enough to be seen too. */
  worker(id: number, host = `host-${id}`, names: readonly string[] = []): Mutable<WorkerFact> {
    if (this.#collected) this.nowMs += 100
    this.#collected = false
    const worker: Mutable<WorkerFact> = {
      address: { id: id as WorkerId, host, uuid: `uuid-${id}` },
      state: 'LIVE',
      tiers: TIERS,
      load: 0,
      heardMonotonicMs: this.nowMs,
      registering: false,
      names,
    }
    this.workers.set(id, worker)
    this.version++
    return worker
  }

  lose(id: number): void {
    this.workers.get(id)!.state = 'LOST'
    this.blocks.workerLost(id as WorkerId)
    this.version++
  }

  hold(worker: number, file: HintedFile, index: number, tier = 0): void {
    this.blocks.add(worker as WorkerId, blockIdOf(file.fileId, index), tier)
  }
}

export function hintedFile(id: number, blocks: number, blockSizeBytes = 2 ** 26): HintedFile {
  return { path: `/f${id}`, fileId: id as FileId, length: blocks * blockSizeBytes, blockSizeBytes }
}

export function wholeFile(file: HintedFile): { path: string; length: number; parts: Split[] } {
  return { path: file.path, length: file.length, parts: [{ file, offset: 0, length: file.length }] }
}

/** Block by block. */
export function splitsOf(file: HintedFile): Split[] {
  const { length, blockSizeBytes } = file
  return Array.from({ length: Math.ceil(length / blockSizeBytes) }, (_, i) => ({
    file,
    offset: i * blockSizeBytes,
    length: Math.min(blockSizeBytes, length - i * blockSizeBytes),
  }))
}
