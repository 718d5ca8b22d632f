/** When the next heartbeat is due: after its interval, or soon after something changed. */
import type { Cancel, Runtime } from '../../../core/index.ts'

export interface BeatTimerOptions {
  readonly intervalMs: number
  /** Wait after a change, in which others join it. */
  readonly delayMs: number
}

export class BeatTimer {
  readonly #options: BeatTimerOptions
  readonly #runtime: Pick<Runtime, 'after'>
  /** Something has changed since the last heartbeat was due. */
  #changed = false
  #hasten: () => void = () => {}

  constructor(options: BeatTimerOptions, modules: { readonly runtime: Pick<Runtime, 'after'> }) {
    this.#options = options
    this.#runtime = modules.runtime
  }

  /** Something should be told: costs nothing when that is known already. */
  changed(): void {
    if (this.#changed) return
    this.#changed = true
    this.#hasten()
  }

  /**
   * Resolves when the next heartbeat is due, at once when `signal` aborts.
   * @param patient whether changes have to wait for the interval too, because the master does not answer
   */
  due(signal: AbortSignal, patient: boolean): Promise<void> {
    return new Promise((resolve) => {
      const { intervalMs, delayMs } = this.#options
      let cancel: Cancel = () => {}
      const end = () => {
        cancel()
        signal.removeEventListener('abort', end)
        this.#changed = false
        this.#hasten = () => {}
        resolve()
      }
      const arm = (ms: number) => {
        cancel()
        cancel = this.#runtime.after(ms, end)
      }
      if (signal.aborted) return end()
      signal.addEventListener('abort', end, { once: true })
      const soon = Math.min(delayMs, intervalMs)
      if (!patient) this.#hasten = () => arm(soon)
      arm(this.#changed && !patient ? soon : intervalMs)
    })
  }
}
