/**
 * Deadlines of many calls with one timer: a hashed wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels",
 * SOSP 1987). Entries are linked in place, so setting and clearing one allocates nothing.
 */
import type { Cancel, Runtime } from '../core/index.ts'

const SLOTS = 512

/** What a wheel holds; extend it. `expire` is called at or up to one tick after the time that was set. */
export abstract class WheelEntry {
  nextEntry: WheelEntry | undefined
  previousEntry: WheelEntry | undefined
  /** Tick at which it is due. */
  dueTick = 0
  abstract expire(): void
}

class Slot extends WheelEntry {
  expire(): void {}
}

export interface WheelOptions {
  /** Resolution in milliseconds. @default 16 */
  readonly tickMs?: number
  /** Whether waiting entries let the process end. @default true */
  readonly unref?: boolean
}

export class Wheel {
  readonly #runtime: Runtime
  readonly #tickMs: number
  readonly #unref: boolean
  readonly #slots: Slot[] = []
  #count = 0
  /** The last tick whose slot was visited. */
  #tick: number
  #armedTick = Number.POSITIVE_INFINITY
  #cancel: Cancel | undefined

  constructor(options: WheelOptions, modules: { readonly runtime: Runtime }) {
    this.#runtime = modules.runtime
    this.#tickMs = options.tickMs ?? 16
    this.#unref = options.unref ?? true
    this.#tick = this.#now()
    for (let i = 0; i < SLOTS; i++) {
      const slot = new Slot()
      slot.nextEntry = slot
      slot.previousEntry = slot
      this.#slots.push(slot)
    }
  }

  /** Sets an entry that is not set, `ms` from now. */
  set(entry: WheelEntry, ms: number): void {
    const now = this.#now()
    if (this.#count === 0) this.#tick = now
    const due = Math.max(now, this.#tick) + Math.ceil(ms / this.#tickMs) + 1
    this.#link(entry, due)
    this.#count++
    if (due < this.#armedTick) this.#arm(due)
  }

  /** Clears an entry; harmless when it is not set. */
  clear(entry: WheelEntry): void {
    if (entry.nextEntry === undefined) return
    unlink(entry)
    this.#count--
  }

  /** Cancels the timer; entries that are set never expire. */
  stop(): void {
    this.#cancel?.()
    this.#armedTick = Number.POSITIVE_INFINITY
  }

  #now(): number {
    return Math.floor(this.#runtime.monotonic() / this.#tickMs)
  }

  #link(entry: WheelEntry, due: number): void {
    entry.dueTick = due
    const slot = this.#slots[due % SLOTS]!
    entry.previousEntry = slot.previousEntry
    entry.nextEntry = slot
    slot.previousEntry!.nextEntry = entry
    slot.previousEntry = entry
  }

  #arm(tick: number): void {
    this.#cancel?.()
    this.#armedTick = tick
    const ms = Math.max(1, tick * this.#tickMs - this.#runtime.monotonic())
    this.#cancel = this.#runtime.after(ms, () => this.#turn(), this.#unref)
  }

  #turn(): void {
    this.#armedTick = Number.POSITIVE_INFINITY
    const now = this.#now()
    const due: WheelEntry[] = []
    for (let tick = Math.max(this.#tick + 1, now - SLOTS + 1); tick <= now; tick++) {
      const slot = this.#slots[tick % SLOTS]!
      for (let entry = slot.nextEntry!; entry !== slot; ) {
        const following = entry.nextEntry!
        if (entry.dueTick <= now) {
          unlink(entry)
          this.#count--
          due.push(entry)
        }
        entry = following
      }
    }
    this.#tick = now
    for (const entry of due) entry.expire()
    if (this.#count > 0 && this.#armedTick === Number.POSITIVE_INFINITY) this.#armNearest()
  }

  #armNearest(): void {
    for (let ahead = 1; ahead <= SLOTS; ahead++) {
      const slot = this.#slots[(this.#tick + ahead) % SLOTS]!
      if (slot.nextEntry !== slot) {
        this.#arm(this.#tick + ahead)
        return
      }
    }
  }
}

function unlink(entry: WheelEntry): void {
  entry.previousEntry!.nextEntry = entry.nextEntry
  entry.nextEntry!.previousEntry = entry.previousEntry
  entry.nextEntry = undefined
  entry.previousEntry = undefined
}
