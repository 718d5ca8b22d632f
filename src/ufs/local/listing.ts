/**
 * Names of a directory in byte order, a window at a time: of a directory of any size at most `WINDOW` names are held. The
 * rest of a window is kept for the next page of the same listing, as long as the directory has not changed.
 */
import { opendir, stat } from 'node:fs/promises'
import type { Runtime } from '../../core/index.ts'
import { isTemporary } from '../temporary.ts'
import { compareUtf8 } from '../uri.ts'

const WINDOW = 32_768
const KEPT_WINDOWS = 4
/** A change within the clock tick of the scan leaves the same modification time, so a fresh one proves nothing. */
const SETTLED_MS = 100

interface Window {
  /** The window holds every name after this one … */
  readonly after: string
  /** … in order … */
  readonly names: readonly string[]
  /** … up to the last one of the directory, if this is set. */
  readonly complete: boolean
  readonly modifiedNs: bigint
}

export class Listing {
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #kept = new Map<string, Window>()

  constructor(runtime: Pick<Runtime, 'now'>) {
    this.#runtime = runtime
  }

  /**
   * All names after `after` in order, some thousands at a time. `folder` is absolute. Temporary ones are left out; those that a
   * scan meets are told.
   */
  async *names(
    folder: string,
    after: string,
    onTemporary?: (place: string) => void,
  ): AsyncGenerator<readonly string[]> {
    for (let from = after; ; ) {
      const kept = from === '' ? undefined : await this.#recall(folder, from)
      const window = kept ?? (await this.#scan(folder, from, onTemporary))
      const first = firstAfter(window.names, from)
      yield first === 0 ? window.names : window.names.slice(first)
      if (window.complete) return
      from = window.names.at(-1)!
    }
  }

  async #recall(folder: string, after: string): Promise<Window | undefined> {
    const window = this.#kept.get(folder)
    if (window === undefined || compareUtf8(window.after, after) > 0) return undefined
    if (!window.complete && firstAfter(window.names, after) === window.names.length) return undefined
    const { mtimeNs } = await stat(folder, { bigint: true })
    return mtimeNs === window.modifiedNs ? window : undefined
  }

  async #scan(
    folder: string,
    after: string,
    onTemporary: ((place: string) => void) | undefined,
  ): Promise<Window> {
    const { mtimeNs } = await stat(folder, { bigint: true })
    const smallest = new Smallest(WINDOW)
    for await (const { name } of await opendir(folder, { bufferSize: 1024 })) {
      if (compareUtf8(name, after) <= 0) continue
      if (!isTemporary(name)) smallest.add(name)
      else onTemporary?.(`${folder === '/' ? '' : folder}/${name}`)
    }
    const names = smallest.take()
    const window: Window = { after, names, complete: !smallest.cut, modifiedNs: mtimeNs }
    this.#kept.delete(folder)
    if (names.length > 256 && this.#runtime.now() - Number(mtimeNs / 1_000_000n) > SETTLED_MS) {
      this.#kept.set(folder, window)
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= KEPT_WINDOWS) break
        this.#kept.delete(oldest)
      }
    }
    return window
  }
}

/** The n smallest of any number of names, in memory for 2n. */
class Smallest {
  readonly #limit: number
  #names: string[] = []
  #bound: string | undefined
  cut = false

  constructor(limit: number) {
    this.#limit = limit
  }

  add(name: string): void {
    if (this.#bound !== undefined && compareUtf8(name, this.#bound) > 0) {
      this.cut = true
      return
    }
    this.#names.push(name)
    if (this.#names.length >= 2 * this.#limit) this.take()
  }

  take(): string[] {
    this.#names.sort(compareUtf8)
    if (this.#names.length > this.#limit) {
      this.#names.length = this.#limit
      this.cut = true
    }
    if (this.#names.length === this.#limit) this.#bound = this.#names.at(-1)
    return this.#names
  }
}

/** Index of the first name after `name` in a sorted list. */
function firstAfter(names: readonly string[], name: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareUtf8(names[middle]!, name) > 0) high = middle
    else low = middle + 1
  }
  return low
}
