/**
 * Starts a declared list of components in order and stops them in reverse, each with a deadline, under one AbortSignal.
 * States are a closed set; a component that fails while serving takes the daemon down in order.
 */
import { AlluxioError } from './errors.ts'
import type { Log } from './log.ts'
import { type Cancel, every, type Runtime } from './runtime.ts'

export type DaemonState = 'starting' | 'serving' | 'draining' | 'stopped' | 'failed'

export interface Component {
  readonly name: string
  /** Resolves when the component serves. `fail` ends the daemon from within, at any later time. */
  start(signal: AbortSignal, fail: (error: unknown) => void): Promise<void> | void
  stop?(): Promise<void> | void
  /** Milliseconds that stop may take. @default 5000 */
  readonly stopDeadlineMs?: number
}

/** A component that calls `run` every so many milliseconds, never two at a time, and logs what it throws. */
export function recurring(
  name: string,
  intervalMs: number,
  run: () => Promise<void> | void,
  { runtime, log }: { readonly runtime: Runtime; readonly log: Log },
): Component {
  let cancel: Cancel = () => {}
  return {
    name,
    start() {
      cancel = every(runtime, intervalMs, run, (error) => log.error(name, { error }))
    },
    stop: () => cancel(),
  }
}

export class Supervisor {
  readonly #components: readonly Component[]
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #abort = new AbortController()
  readonly #started: Component[] = []
  readonly #ended = Promise.withResolvers<void>()
  #state: DaemonState = 'starting'
  #stopping: Promise<void> | undefined

  constructor(components: readonly Component[], modules: { readonly runtime: Runtime; readonly log: Log }) {
    this.#components = components
    this.#runtime = modules.runtime
    this.#log = modules.log
    this.#ended.promise.catch(() => {})
  }

  get state(): DaemonState {
    return this.#state
  }

  /** Settles when the daemon has stopped; rejects with the failure that ended it. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** @throws the first component's failure to start, after the started ones were stopped. */
  async start(): Promise<void> {
    for (const component of this.#components) {
      if (this.#abort.signal.aborted) break
      try {
        this.#started.push(component)
        await component.start(this.#abort.signal, (error) => this.#fail(component, error))
      } catch (error) {
        this.#fail(component, error)
        await this.#stopping
        throw error
      }
    }
    if (this.#state === 'starting') this.#state = 'serving'
    this.#log.info('daemon serves')
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stopAll('stopped')
    await this.#stopping
  }

  #fail(component: Component, error: unknown): void {
    if (this.#stopping !== undefined) return
    this.#log.error('component failed', { component: component.name, error })
    this.#stopping = this.#stopAll('failed', error)
  }

  async #stopAll(final: 'stopped' | 'failed', failure?: unknown): Promise<void> {
    this.#state = 'draining'
    this.#abort.abort(new AlluxioError('CANCELLED', 'the daemon is stopping'))
    for (const component of this.#started.reverse()) {
      try {
        await this.#withDeadline(component)
      } catch (error) {
        this.#log.warn('component did not stop cleanly', { component: component.name, error })
      }
    }
    this.#state = final
    this.#log.info('daemon stopped', { state: final })
    if (final === 'failed') this.#ended.reject(failure)
    else this.#ended.resolve()
  }

  #withDeadline(component: Component): Promise<void> {
    const ms = component.stopDeadlineMs ?? 5000
    return new Promise((resolve, reject) => {
      const cancel = this.#runtime.after(ms, () =>
        reject(new AlluxioError('TIMEOUT', `${component.name} did not stop within ${ms} ms`)),
      )
      Promise.resolve(component.stop?.()).then(resolve, reject).finally(cancel)
    })
  }
}
