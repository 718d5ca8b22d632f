/**
 * Turns the flat, ordered keys of a container into a tree's listing. A directory is a common prefix, a marker object `dir/`, or
 * both. Where a key `x` stands beside keys below `x/`, the file is what `x` names, as for `status`, and the others
 * are not shown.
 */
import type { UfsStatus } from '../store.ts'
import { childOf } from '../uri.ts'

export interface ListedKey {
  /** Below the listed directory; a directory's ends with a slash. */
  readonly name: string
  readonly length: number
  readonly modifiedMs: number
  readonly etag: string
  /** A marker of a directory whose key has no slash, as some tools of Swift make them. @default false */
  readonly directory?: boolean
}

/**
 * Where the page begins: behind a key, and which of the last keys still matter: files shadow what comes, directories marked
 * without a slash have been shown.
 */
export interface TreePosition {
  readonly after?: string
  readonly files: readonly string[]
  readonly marked?: readonly string[]
}

/** Gathers the entries of one page from keys in order. */
export class TreeEntries {
  readonly entries: UfsStatus[] = []
  readonly #path: string
  readonly #limit: number
  /** Names of files that are a prefix of the last key: they shadow what lies below `name/`. */
  readonly #files: string[]
  /** Likewise the directories whose marker has no slash: they come a second time, as a prefix. */
  readonly #marked: string[]
  #last: string
  #full = false

  constructor(path: string, limit: number, start: TreePosition) {
    this.#path = path
    this.#limit = limit
    this.#files = [...start.files]
    this.#marked = [...(start.marked ?? [])]
    this.#last = start.after ?? ''
  }

  /** False when the page is full and the key is left for the next one. */
  add(key: ListedKey): boolean {
    const { name } = key
    dropOthers(this.#files, name)
    dropOthers(this.#marked, name)
    if (this.#files.some((file) => name.startsWith(`${file}/`))) {
      this.#last = name
      return true
    }
    // What stands above a segment that has no place is a directory like any other, also when nothing else is in it.
    const end = placeless(name)
    for (let slash = name.indexOf('/'); slash !== -1 && slash < end; slash = name.indexOf('/', slash + 1)) {
      const directory = name.slice(0, slash + 1)
      if (this.#last.startsWith(directory) || this.#marked.includes(name.slice(0, slash))) continue
      const marker = directory.length === name.length
      if (!this.#push(directory, marker ? key : undefined)) return false
    }
    if (end < name.length || name.endsWith('/')) {
      this.#last = name
      return true
    }
    if (!this.#push(key.directory === true ? `${name}/` : name, key)) return false
    this.#last = name
    if (key.directory === true) this.#marked.push(name)
    else this.#files.push(name)
    return true
  }

  /** A key was left for the next page. */
  get full(): boolean {
    return this.#full
  }

  /** The key, below the directory, behind which the next page begins. */
  get position(): string {
    return this.#last
  }

  get files(): readonly string[] {
    return this.#files
  }

  get marked(): readonly string[] {
    return this.#marked
  }

  #push(name: string, key: ListedKey | undefined): boolean {
    if (this.entries.length === this.#limit) {
      this.#full = true
      return false
    }
    const directory = name.endsWith('/')
    this.entries.push({
      path: childOf(this.#path, directory ? name.slice(0, -1) : name),
      directory,
      length: directory ? 0 : (key?.length ?? 0),
      modifiedMs: key?.modifiedMs ?? 0,
      fingerprint: directory ? '' : (key?.etag ?? ''),
    })
    this.#last = name
    return true
  }
}

/** Keys come in order, so what is no prefix of this one is none of any that follows. */
function dropOthers(prefixes: string[], name: string): void {
  while (prefixes.length > 0 && !name.startsWith(prefixes.at(-1)!)) prefixes.pop()
}

/** Where the first segment begins that has no place in a tree, since it is empty, `.` or `..`; the key's length if there is none. */
function placeless(name: string): number {
  const { length } = name
  if (!name.includes('//') && name.charCodeAt(0) !== 47 && !name.includes('.')) return length
  for (let start = 0; start < length; ) {
    const slash = name.indexOf('/', start)
    const segment = name.slice(start, slash === -1 ? length : slash)
    if (segment === '' || segment === '.' || segment === '..') return start
    if (slash === -1) return length
    start = slash + 1
  }
  return length
}
