/**
 * The client that sets the world up and, when all faults are over, waits for rest and looks at everything. Its looks are
 * part of the history: what is there at the end must follow from what clients were told.
 */

import type { FileStatus, FileSystem, WorkerStatus, WriteType } from '../../../src/client/index.ts'
import { type Log, sleep } from '../../../src/core/index.ts'
import type { FinalEntry } from '../checkers/outcome.ts'
import type { Kernel, SimNode } from '../kernel/kernel.ts'
import type { SimOptions } from '../options.ts'
import { ClientDriver, type Workload } from '../workload/client-driver.ts'
import { toldError } from '../workload/history.ts'
import { DIRECTORY_NAMES, FILE_NAMES, LIN_ROOTS } from '../workload/roots.ts'
import type { SimNetwork } from './network.ts'
import { connectClient } from './programs.ts'
import type { StoreServer } from './under-store.ts'

const POLL_MS = 500
/** Rest must last so long: workers report to the master by heartbeat. */
const REST_MS = 6_000
/** Until a daemon gives up a peer that went without a word. */
const PEER_GONE_MS = 45_000
const LOOK_MS = 3_600_000

export interface ObserverModules {
  readonly kernel: Kernel
  readonly network: SimNetwork
  readonly ufs: StoreServer
  readonly workload: Workload
  readonly logOf: (node: SimNode) => Log
}

/** What the observer is told about the world from outside. */
export interface Rest {
  /** Whether no client waits for an answer. */
  readonly idle: () => boolean
  readonly cacheLost: () => boolean
}

export interface LastLook {
  readonly quiet: boolean
  readonly pending: readonly string[]
  readonly entries: readonly FinalEntry[]
  readonly workers: readonly WorkerStatus[]
}

export class Observer {
  readonly #options: SimOptions
  readonly #modules: ObserverModules
  readonly #node: SimNode
  #fs: FileSystem | undefined

  constructor(options: SimOptions, modules: ObserverModules) {
    this.#options = options
    this.#modules = modules
    this.#node = modules.kernel.boot('observer')
  }

  /** Makes the directories that the workload lives in. */
  async prepare(roots: Readonly<Record<string, WriteType>>, limitMs: number): Promise<void> {
    await this.#within(limitMs, async () => {
      const { network, ufs, logOf } = this.#modules
      const log = logOf(this.#node)
      const fs = await connectClient(this.#node, { network, ufs, log, options: this.#options })
      this.#fs = fs
      for (;;) {
        const workers = await fs.admin.workers().catch(() => [])
        if (workers.length >= this.#options.workers) break
        await sleep(this.#node.runtime, POLL_MS)
      }
      for (const [path, writeType] of Object.entries(roots))
        await fs.mkdir(path, { writeType, allowExists: true })
    })
  }

  /** Waits until nothing is pending, then looks at everything. */
  async quiesce(limitMs: number, world: Rest): Promise<LastLook> {
    let pending: readonly string[] = ['clients']
    const rested = await this.#within(limitMs, async () => {
      for (let restedMs = 0; restedMs < REST_MS; ) {
        await sleep(this.#node.runtime, POLL_MS)
        pending = world.idle() ? await this.#pending(world) : ['clients still wait for answers']
        restedMs = pending.length === 0 ? restedMs + POLL_MS : 0
      }
      return true
    })
    // A file whose bytes are gone is waited for a while by whoever reads it.
    const look = await this.#within(LOOK_MS, async () => {
      const entries = await this.#look()
      // The looks have cached what they read, and writers that died are given up: the master hears of both.
      await sleep(this.#node.runtime, PEER_GONE_MS)
      return { entries, workers: await this.#open.admin.workers() }
    })
    return { quiet: rested === true && look !== undefined, pending, entries: [], workers: [], ...look }
  }

  get #open(): FileSystem {
    return this.#fs!
  }

  /** Runs a task of the observer's node for at most so much virtual time; undefined if that was not enough. */
  async #within<T>(limitMs: number, task: () => Promise<T>): Promise<T | undefined> {
    const { kernel } = this.#modules
    const run: { value?: T; error?: unknown; ended: boolean } = { ended: false }
    kernel.schedule(this.#node, 0, 'observe', () => {
      task().then(
        (value) => Object.assign(run, { value, ended: true }),
        (error: unknown) => Object.assign(run, { error, ended: true }),
      )
    })
    await kernel.run(kernel.nowMs + limitMs, () => run.ended)
    if (run.error !== undefined) throw run.error
    return run.value
  }

  /** What is not done yet, in words. */
  async #pending({ cacheLost }: Rest): Promise<readonly string[]> {
    try {
      const workers = await this.#open.admin.workers()
      // A worker that came back with a new identity leaves its old one behind as lost.
      const live = workers.filter(({ state }) => state === 'LIVE').length
      // A file whose only bytes the world has taken can never be persisted.
      const waiting = (await this.#walk('/'))
        .filter(({ persistenceState }) => persistenceState === 'TO_BE_PERSISTED' && !cacheLost())
        .map(({ path }) => `${path} waits for its persist`)
      const metrics = await this.#open.admin.metrics()
      const unsettled = metrics.alluxio_master_intents_open ?? 0
      return [
        ...(live < this.#options.workers ? [`${live} workers live`] : []),
        ...(unsettled > 0 ? [`${unsettled} changes of the under-store are not settled`] : []),
        ...waiting,
      ]
    } catch (error) {
      return [`the observer is refused: ${String(error)}`]
    }
  }

  async #walk(path: string): Promise<FileStatus[]> {
    const found: FileStatus[] = []
    const children: FileStatus[] = []
    for await (const status of this.#open.list(path)) children.push(status)
    for (const status of children) {
      found.push(status)
      if (status.folder) found.push(...(await this.#walk(status.path)))
    }
    return found
  }

  async #look(): Promise<FinalEntry[]> {
    const rng = this.#modules.kernel.rng('observer')
    const { workload } = this.#modules
    const driver = new ClientDriver({ fs: this.#open, node: this.#node, workload, rng })
    const quietly = (work: Promise<unknown>) => work.catch(() => {})
    for (const root of LIN_ROOTS) {
      const folders = [root, ...DIRECTORY_NAMES.map((name) => `${root}/${name}`)]
      for (const folder of folders) {
        await quietly(driver.list(folder))
        for (const name of FILE_NAMES) await quietly(driver.stat(`${folder}/${name}`))
      }
    }
    const entries: FinalEntry[] = []
    for (const status of await this.#walk('/')) entries.push(await this.#entry(status, driver))
    return entries
  }

  async #entry(status: FileStatus, driver: ClientDriver): Promise<FinalEntry> {
    const { path, fileId, folder, completed, length, persistenceState: persistence } = status
    const entry = { path, fileId, folder, completed, length, persistence }
    if (folder || !completed) return entry
    const told = await driver.read(path, 0, length).catch((error: unknown) => toldError(error))
    if (told.kind === 'bytes') return { ...entry, read: { count: told.count, wrong: told.wrong } }
    return { ...entry, read: { error: 'code' in told ? `${told.code} ${told.message}` : told.kind } }
  }
}
