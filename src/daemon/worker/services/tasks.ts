/** Carries the master's commands out, a few at a time, and tells how each ended until the master has heard it. */
import {
  type BlockId,
  blockIndex,
  type FileId,
  isAlluxioError,
  type Log,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../../../core/index.ts'
import type { Client, MasterBlock } from '../../../rpc/index.ts'
import { decodeIds } from './block-report.ts'
import { type Command, type PersistModules, persistFile } from './persist.ts'
import { pinnedFiles } from './pinned-files.ts'
import { rangesOf } from './source.ts'

export interface TasksModules extends PersistModules {
  readonly master: Client<typeof MasterBlock>
  readonly session: () => number
  readonly runtime: Runtime
  readonly log: Log
}

/** Small files at once, to overlap the latencies of a remote store, and bytes at once, to leave room for reads. */
const PARALLEL_TASKS = 32
const PARALLEL_BYTES = 256 * 2 ** 20
const REPORT_RETRY_MS = 1_000

interface Task {
  /** Replaced when the master asks again; the report names the latest task id. */
  command: Command
  readonly bytes: number
}

interface Outcome {
  readonly fingerprint?: string
  readonly error?: string
  readonly errorCode?: string
}

type Told = 'heard' | 'unheard' | 'asked again'

export class Tasks {
  readonly name = 'tasks'
  readonly stopDeadlineMs = 10_000
  readonly #modules: TasksModules
  readonly #abort = new AbortController()
  readonly #waiting: Task[] = []
  /** Files being persisted or waiting for it: a master that restarted asks again, under another task id. */
  readonly #persists = new Map<number, Task>()
  readonly #running = new Set<Promise<void>>()
  #runningBytes = 0

  constructor(modules: TasksModules) {
    this.#modules = modules
  }

  start(): void {}

  async stop(): Promise<void> {
    this.#waiting.length = 0
    this.#abort.abort()
    await Promise.allSettled(this.#running)
  }

  obey(command: Command): void {
    if (command.kind === 'FREE' || command.kind === 'PIN' || command.kind === 'CHECK') {
      this.#now(command)
      return
    }
    if (this.#abort.signal.aborted) return
    const fileId = command.kind === 'PERSIST' ? command.fileId : undefined
    const known = fileId === undefined ? undefined : this.#persists.get(fileId)
    if (known !== undefined) {
      known.command = command
      return
    }
    const task = { command, bytes: command.blocks?.reduce((sum, { length }) => sum + length, 0) ?? 0 }
    if (fileId !== undefined) this.#persists.set(fileId, task)
    this.#waiting.push(task)
    this.#next()
  }

  /** What takes no time worth waiting for. */
  #now(command: Command): void {
    const { store, log } = this.#modules
    if (command.kind === 'PIN') {
      store.setPinned(pinnedFiles(command))
      return
    }
    const ids = command.ids === undefined ? [] : decodeIds(command.ids)
    if (command.kind === 'CHECK') {
      store
        .recheck(ids as BlockId[])
        .catch((error: unknown) => log.warn('blocks not checked', { error, blocks: ids.length }))
      return
    }
    store
      .remove(ids as BlockId[])
      .catch((error: unknown) => log.warn('blocks not freed', { error, blocks: ids.length }))
  }

  #next(): void {
    while (this.#running.size < PARALLEL_TASKS) {
      const task = this.#waiting[0]
      if (task === undefined) return
      if (this.#running.size > 0 && this.#runningBytes + task.bytes > PARALLEL_BYTES) return
      this.#waiting.shift()
      this.#runningBytes += task.bytes
      const running: Promise<void> = this.#run(task).finally(() => {
        this.#running.delete(running)
        this.#runningBytes -= task.bytes
        this.#next()
      })
      this.#running.add(running)
    }
  }

  /** Never rejects: how a task fails is told to the master. */
  async #run(task: Task): Promise<void> {
    const { signal } = this.#abort
    let told: Told
    do {
      const { command } = task
      const outcome = await this.#outcome(command, signal)
      if (outcome === undefined) return
      told = await this.#report(task, command.target, outcome, signal)
      // Only now: a block that may be evicted before the master knows of the other copy could be lost to it.
      if (told === 'heard' && outcome.fingerprint !== undefined)
        this.#modules.store.markPersisted(command.fileId as FileId)
    } while (told === 'asked again')
    if (task.command.kind === 'PERSIST') this.#persists.delete(task.command.fileId ?? 0)
  }

  /** Undefined at the end of the daemon. */
  async #outcome(command: Command, signal: AbortSignal): Promise<Outcome | undefined> {
    const { log, metrics } = this.#modules
    try {
      return command.kind === 'PERSIST'
        ? { fingerprint: await persistFile(this.#modules, command, signal) }
        : await this.#load(command, signal)
    } catch (error) {
      if (signal.aborted) return undefined
      const { code, message } = toAlluxioError(error)
      metrics.taskFailures.add()
      log.warn('task failed', { kind: command.kind, taskId: command.taskId, fileId: command.fileId, error })
      return { error: message, errorCode: code }
    }
  }

  /** @param target where the task wrote to, which the latest command may name otherwise: whoever hears of it looks there */
  async #report(task: Task, target: Command['target'], outcome: Outcome, signal: AbortSignal): Promise<Told> {
    const { master, session, runtime, log } = this.#modules
    const asked = task.command
    while (!signal.aborted) {
      // A master that asks after the end may have removed what it had not heard of.
      if (task.command !== asked && isSame(task.command.target, target)) return 'asked again'
      try {
        const { taskId, fileId = 0 } = task.command
        const written = target === undefined ? {} : { target }
        await master.taskDone({ session: session(), taskId, fileId, ...outcome, ...written }, { signal })
        return 'heard'
      } catch (error) {
        // NOT_FOUND: the task was given up or is known to be done. CONFLICT: asked again with the next session.
        if (isAlluxioError(error, 'NOT_FOUND') || signal.aborted) return 'unheard'
        log.debug('end of task not reported yet', { taskId: task.command.taskId, error })
        await sleep(runtime, REPORT_RETRY_MS, signal).catch(() => {})
      }
    }
    return 'unheard'
  }

  async #load(command: Command, signal: AbortSignal): Promise<Outcome> {
    const { store, mounts } = this.#modules
    const { target, blockSizeBytes = 0, blocks = [] } = command
    for (const block of blocks) {
      const request = { blockId: block.id as BlockId, blockLength: block.length, promote: false, signal }
      if (target === undefined) await store.load(request)
      else
        await store.load({
          ...request,
          ...rangesOf(mounts, target, blockIndex(request.blockId) * blockSizeBytes),
        })
    }
    return {}
  }
}

function isSame(one: Command['target'], other: Command['target']): boolean {
  return one?.path === other?.path && one?.mountId === other?.mountId
}
