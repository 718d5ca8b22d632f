/**
 * Looks at under-stores that overlap in time. What a later one saw is not undone by an earlier one whose answer comes after
 * it; nothing is remembered for longer than a look that could be too late is under way.
 */
import { parentPath } from '../../../core/index.ts'

export type LookNumber = number & { readonly __look: true }

export class Looks {
  #next = 1
  /** Under way, oldest first. */
  readonly #open = new Set<LookNumber>()
  /** The youngest look that told what is at a path, that the path is gone, or all children of a directory. */
  readonly #seen = new Map<string, LookNumber>()
  readonly #gone = new Map<string, LookNumber>()
  readonly #listed = new Map<string, LookNumber>()

  /** To be called before the store is asked. */
  begin(): LookNumber {
    const look = this.#next++ as LookNumber
    this.#open.add(look)
    return look
  }

  end(look: LookNumber): void {
    this.#open.delete(look)
    const [oldest = Number.POSITIVE_INFINITY] = this.#open
    for (const told of [this.#seen, this.#gone, this.#listed])
      for (const [path, number] of told) if (number < oldest) told.delete(path)
  }

  /** Whether no younger look has told what is at the path. */
  maySpeak(look: LookNumber, path: string): boolean {
    return !(
      isYounger(this.#seen, path, look) ||
      isYounger(this.#listed, parentPath(path), look) ||
      this.#isGone(path, look)
    )
  }

  /** Whether no younger look has told all children of the directory. */
  maySpeakOfChildren(look: LookNumber, directory: string): boolean {
    return !(isYounger(this.#listed, directory, look) || this.#isGone(directory, look))
  }

  /** Names in a directory of which a younger look has told what they are. */
  told(look: LookNumber, directory: string): string[] {
    const names: string[] = []
    for (const [path, number] of this.#seen) {
      if (number > look && parentPath(path) === directory) names.push(path.slice(path.lastIndexOf('/') + 1))
    }
    return names
  }

  seen(look: LookNumber, path: string): void {
    this.#note(this.#seen, look, path)
  }

  gone(look: LookNumber, path: string): void {
    this.#note(this.#seen, look, path)
    this.#note(this.#gone, look, path)
  }

  listed(look: LookNumber, directory: string): void {
    this.#note(this.#listed, look, directory)
  }

  #isGone(path: string, look: LookNumber): boolean {
    if (this.#gone.size === 0) return false
    for (let at = path; at !== '/'; at = parentPath(at)) if (isYounger(this.#gone, at, look)) return true
    return false
  }

  #note(told: Map<string, LookNumber>, look: LookNumber, path: string): void {
    const [oldest = look] = this.#open
    if (oldest < look && !isYounger(told, path, look)) told.set(path, look)
  }
}

function isYounger(told: ReadonlyMap<string, LookNumber>, path: string, look: LookNumber): boolean {
  return (told.get(path) ?? 0) > look
}
