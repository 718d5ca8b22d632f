/**
 * Blocks that readers did not find where they are said to be. Nothing is taken from a reader's word: the worker is asked, and what
 * it says counts. A worker that says nothing for as long as it may stay silent is no longer believed about that block.
 */
import {
  type BlockId,
  type Cancel,
  fileOfBlock,
  type Log,
  type Runtime,
  type WorkerId,
} from '../../../../core/index.ts'
import type { BlockMap, Caller, Namespace } from '../../../../namespace/index.ts'
import type { Worker, WorkerRegistry } from '../worker-registry.ts'

export interface DoubtsOptions {
  /** How long a worker may take to answer; within that time it is not asked again about the same block, ms. */
  readonly patienceMs: number
}

export interface DoubtsModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly runtime: Runtime
  readonly log: Log
}

interface Asked {
  readonly session: number
  readonly atMs: number
  answered: boolean
}

/** Blocks that one worker, and all, are asked about within the patience; more doubts are passed over. */
const MOST_OF_ONE = 1000
const MOST = 20_000
const ID_BYTES = 8
const ENTRY_BYTES = 9

export class Doubts {
  readonly #patienceMs: number
  readonly #m: DoubtsModules
  /** By worker and block. */
  readonly #asked = new Map<number, Map<number, Asked>>()
  #size = 0
  #timer: Cancel | undefined

  constructor({ patienceMs }: DoubtsOptions, modules: DoubtsModules) {
    this.#patienceMs = patienceMs
    this.#m = modules
  }

  stop(): void {
    this.#timer?.()
  }

  /** Asks the workers about what the caller may read, what is said of them, and what they were not asked lately. */
  async report(
    doubts: readonly { readonly blockId: number; readonly workerId: number }[],
    caller: Caller,
  ): Promise<void> {
    const { workers } = this.#m
    const questions = new Map<Worker, number[]>()
    for (const { blockId, workerId } of doubts) {
      const worker = workers.get(workerId)
      if (worker?.state !== 'LIVE' || worker.registering) continue
      if (!(await this.#isWorthAsking(blockId as BlockId, workerId, caller))) continue
      this.#remember(workerId, blockId, worker.session)
      const ids = questions.get(worker)
      if (ids === undefined) questions.set(worker, [blockId])
      else ids.push(blockId)
    }
    for (const [{ address }, ids] of questions) {
      const bytes = new Uint8Array(Float64Array.from(ids).buffer)
      workers.send(address.id, { kind: 'CHECK', taskId: 0, ids: bytes })
    }
  }

  async #isWorthAsking(block: BlockId, worker: number, caller: Caller): Promise<boolean> {
    const { namespace, blocks } = this.#m
    const asked = this.#asked.get(worker)
    if (this.#size >= MOST || (asked !== undefined && (asked.has(block) || asked.size >= MOST_OF_ONE)))
      return false
    if (!blocks.locations(block).some(({ workerId }) => workerId === worker)) return false
    const path = namespace.inodeById(fileOfBlock(block))?.path
    if (path === undefined) return false
    try {
      await namespace.open(path, caller)
    } catch {
      return false
    }
    // Others may have asked meanwhile.
    return this.#asked.get(worker)?.has(block) !== true
  }

  #remember(worker: number, block: number, session: number): void {
    const entry = { session, atMs: this.#m.runtime.monotonic(), answered: false }
    const asked = this.#asked.get(worker)
    if (asked === undefined) this.#asked.set(worker, new Map([[block, entry]]))
    else asked.set(block, entry)
    this.#size++
    this.#timer ??= this.#m.runtime.after(this.#patienceMs + 1, () => this.#end(), true)
  }

  /** A heartbeat told of blocks: 8-byte ids that are gone, 9-byte entries that are there. Costs nothing while nobody doubts. */
  told(worker: number, removed: Uint8Array, added: Uint8Array): void {
    const asked = this.#asked.get(worker)
    if (asked === undefined) return
    this.#note(asked, removed, ID_BYTES)
    this.#note(asked, added, ENTRY_BYTES)
  }

  #note(asked: Map<number, Asked>, entries: Uint8Array, entryBytes: number): void {
    const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength)
    for (let at = 0; at + entryBytes <= entries.length; at += entryBytes) {
      const entry = asked.get(view.getFloat64(at, true))
      if (entry !== undefined) entry.answered = true
    }
  }

  /** Forgets questions whose time is over, and replicas whose worker did not answer. */
  #end(): void {
    this.#timer = undefined
    const { workers, blocks, runtime, log } = this.#m
    const overMs = runtime.monotonic() - this.#patienceMs
    for (const [id, asked] of this.#asked) {
      for (const [block, { session, atMs, answered }] of asked) {
        if (atMs > overMs) continue
        asked.delete(block)
        this.#size--
        // One that registered anew has named all that it holds.
        if (answered || workers.get(id)?.session !== session) continue
        blocks.remove(id as WorkerId, block as BlockId)
        log.warn('a worker does not say whether it holds a block: it is no longer believed', {
          workerId: id,
          block,
        })
      }
      if (asked.size === 0) this.#asked.delete(id)
    }
    if (this.#size > 0) this.#timer = runtime.after(this.#patienceMs / 2, () => this.#end(), true)
  }
}
