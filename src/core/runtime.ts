/**
 * The runtime ports: clock, timers and randomness. Nothing below the faces reads `Date`, `performance`, `Math.random`
 * or a global timer; a daemon gets these ports from its `main.ts`, and a simulation replaces them with a seeded world.
 */
import { randomFillSync } from 'node:crypto'

/** Cancels a timer; harmless when it has already fired. */
export type Cancel = () => void

export interface Runtime {
  /** Wall clock, milliseconds since the epoch. May jump. */
  now(): number
  /** Monotonic clock in milliseconds with fractions; only differences mean anything. */
  monotonic(): number
  /** Runs `fn` once after `ms`. The timer does not keep a process alive by itself if `unref` is set. */
  after(ms: number, fn: () => void, unref?: boolean): Cancel
  /** Runs `fn` at the end of this turn of the event loop, after already queued I/O callbacks. */
  defer(fn: () => void): void
  /** Uniform in [0, 1). */
  random(): number
  /** Fills and returns `bytes` with random bytes (ids, tokens). */
  randomBytes(bytes: Uint8Array): Uint8Array
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn, unref = false) {
    const timer = setTimeout(fn, ms)
    if (unref) timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (fn) => {
    setImmediate(fn)
  },
  random: () => Math.random(),
  randomBytes: (bytes) => randomFillSync(bytes),
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(runtime: Runtime, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = runtime.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Calls `fn` every `ms` until cancelled; a run that is still going is never overlapped. Errors go to `onError`. */
export function every(
  runtime: Runtime,
  ms: number,
  fn: () => Promise<void> | void,
  onError: (error: unknown) => void,
): Cancel {
  let stopped = false
  let cancel: Cancel = () => {}
  const arm = () => {
    if (stopped) return
    cancel = runtime.after(ms, () => {
      Promise.resolve().then(fn).catch(onError).finally(arm)
    })
  }
  arm()
  return () => {
    stopped = true
    cancel()
  }
}

/**
 * Full-jitter exponential backoff: a delay in milliseconds for attempt 0, 1, 2, …
 * (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffMs(runtime: Runtime, attempt: number, baseMs: number, capMs: number): number {
  return runtime.random() * Math.min(capMs, baseMs * 2 ** attempt)
}
