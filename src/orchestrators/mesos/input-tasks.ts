/** The inputs of a run and the tasks that were begun for them: what waits, what runs, what is over. Decides; no sockets, no clock. */
import type { PathHint } from '../../client/index.ts'
import type { TaskStatus } from './scheduler-api.ts'

/** LOCAL: the host held some of the input. COLD: nobody did, and this is its stable place. UNKNOWN: there were no hints. */
export type TaskPlacement = 'LOCAL' | 'COLD' | 'REMOTE' | 'UNKNOWN'
export type InputState = 'PENDING' | 'RUNNING' | 'FINISHED' | 'FAILED'

export interface InputTask {
  readonly path: string
  state: InputState
  /** Of the last task; '' before the first one, as all below. */
  taskId: string
  agentId: string
  host: string
  placement: TaskPlacement
  /** 1 where the input is read fastest. */
  score: number
  /** How long the input waited for this host, ms. */
  waitedMs: number
  attempts: number
  /** Last words about the task, if there were any. */
  message: string
}

/** What another process needs to go on with a run. */
export interface SavedRun {
  /** '' once it has been ended. */
  readonly frameworkId: string
  readonly tasks: readonly InputTask[]
}

export interface Launched {
  readonly path: string
  readonly agentId: string
  readonly host: string
  readonly score: number
  readonly waitedMs: number
  readonly hint: PathHint | undefined
}

/** Times that a task is begun which Mesos lost; one that failed by itself is not begun again. */
const ATTEMPTS = 3
const ALIVE = ['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_UNREACHABLE']
/** The task is at fault, or it says so. */
const OWN_FAULT = ['TASK_FAILED', 'TASK_ERROR']
/** Of TASK_FAILED: the agent or its operator ended it. */
const AGENT_REASONS = /AGENT|SLAVE|EXECUTOR_TERMINATED|EXECUTOR_PREEMPTED|GC_ERROR|RECONCILIATION/

export class InputTasks {
  readonly #tasks: readonly InputTask[]
  readonly #byPath: ReadonlyMap<string, InputTask>

  constructor(paths: readonly string[], saved?: SavedRun) {
    const before = new Map(saved?.tasks.map((task) => [task.path, task]))
    this.#tasks = [...new Set(paths)].map((path) => ({ ...(before.get(path) ?? fresh(path)) }))
    this.#byPath = new Map(this.#tasks.map((task) => [task.path, task]))
  }

  get all(): readonly InputTask[] {
    return this.#tasks
  }

  get pending(): string[] {
    return this.#tasks.filter(({ state }) => state === 'PENDING').map(({ path }) => path)
  }

  /** Begun and, as far as is known, not over. */
  get running(): InputTask[] {
    return this.#tasks.filter(({ state }) => state === 'RUNNING')
  }

  get isOver(): boolean {
    return this.#tasks.every(({ state }) => state === 'FINISHED' || state === 'FAILED')
  }

  /** Returns the id of the new task. */
  launch({ path, agentId, host, score, waitedMs, hint }: Launched): string {
    const task = this.#byPath.get(path)!
    task.attempts++
    const taskId = `${this.#tasks.indexOf(task)}-${task.attempts}`
    const placement = placementOf(hint, host)
    Object.assign(task, { state: 'RUNNING', taskId, agentId, host, score, waitedMs, placement, message: '' })
    return taskId
  }

  /** What runs has been ended on our word. */
  abandon(): void {
    for (const task of this.running) again(task)
  }

  /** The call that was to begin it did not get through: it may wait anew. */
  unlaunch(taskId: string): void {
    const task = this.running.find((running) => running.taskId === taskId)
    if (task !== undefined) again(task)
  }

  /** Whether that changed anything. */
  update({ task_id, state, reason = '', message = '' }: TaskStatus): boolean {
    const task = this.running.find(({ taskId }) => taskId === task_id.value)
    if (task === undefined) return false
    if (ALIVE.includes(state)) return false
    task.message = [state, reason, message].filter((part) => part !== '').join(': ')
    if (state === 'TASK_FINISHED') task.state = 'FINISHED'
    else if ((OWN_FAULT.includes(state) && !AGENT_REASONS.test(reason)) || task.attempts >= ATTEMPTS)
      task.state = 'FAILED'
    else again(task)
    return true
  }
}

function again(task: InputTask): void {
  task.state = 'PENDING'
}

function fresh(path: string): InputTask {
  return {
    path,
    state: 'PENDING',
    taskId: '',
    agentId: '',
    host: '',
    placement: 'UNKNOWN',
    score: 0,
    waitedMs: 0,
    attempts: 0,
    message: '',
  }
}

function placementOf(hint: PathHint | undefined, host: string): TaskPlacement {
  if (hint === undefined) return 'UNKNOWN'
  const at = hint.hosts.findIndex((ranked) => ranked.host.toLowerCase() === host.toLowerCase())
  const found = hint.hosts[at]
  if (found === undefined) return 'REMOTE'
  if (hint.cold) return at === 0 && found.confidence > 0 ? 'COLD' : 'REMOTE'
  return found.bytes.MEM + found.bytes.SSD + found.bytes.HDD > 0 ? 'LOCAL' : 'REMOTE'
}
