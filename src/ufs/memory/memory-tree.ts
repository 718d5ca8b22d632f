/** The content of a memory store: outlives the stores that are opened on it, as a disk outlives a process. */
import { AlluxioError } from '../../core/index.ts'

export interface MemoryFile {
  readonly kind: 'file'
  bytes: Uint8Array
  modifiedMs: number
  /** Counts the changes of the whole tree: no two contents share one. */
  version: number
  mode: number
  owner: string
  group: string
  metadata: Readonly<Record<string, string>>
}

export interface MemoryDirectory {
  readonly kind: 'directory'
  readonly children: Map<string, MemoryNode>
  modifiedMs: number
  mode: number
  owner: string
  group: string
}

export type MemoryNode = MemoryFile | MemoryDirectory

/** Changes that are remembered. */
const LOGGED = 10_000

export class MemoryTree {
  readonly root: MemoryDirectory = directory(0)
  #version = 0
  /** Paths that changed, oldest first; the first one has number `#forgotten`. */
  readonly #changed: string[] = []
  #forgotten = 0

  /** Notes down that something at a path came, changed or went. */
  change(path: string): void {
    this.#changed.push(path)
    if (this.#changed.length < 2 * LOGGED) return
    this.#changed.splice(0, LOGGED)
    this.#forgotten += LOGGED
  }

  /** Number of the next change. */
  get nextChange(): number {
    return this.#forgotten + this.#changed.length
  }

  /** What changed since a number was the next one; undefined if that is too long ago. */
  changesSince(number: number): readonly string[] | undefined {
    return number < this.#forgotten || number > this.nextChange
      ? undefined
      : this.#changed.slice(number - this.#forgotten)
  }

  nextVersion(): number {
    return ++this.#version
  }

  /** @throws NOT_FOUND, NOT_A_DIRECTORY */
  node(path: string): MemoryNode {
    let node: MemoryNode = this.root
    for (const name of names(path)) {
      if (node.kind === 'file') {
        throw new AlluxioError('NOT_A_DIRECTORY', `${path}: an ancestor is a file`)
      }
      const child = node.children.get(name)
      if (child === undefined) throw new AlluxioError('NOT_FOUND', `${path} does not exist`)
      node = child
    }
    return node
  }

  find(path: string): MemoryNode | undefined {
    try {
      return this.node(path)
    } catch {
      return undefined
    }
  }

  /** The directory at `path`; with `make`, missing ones are made. @throws NOT_FOUND, NOT_A_DIRECTORY */
  directory(
    path: string,
    make: boolean,
    nowMs: number,
    attributes: Partial<MemoryDirectory> = {},
  ): MemoryDirectory {
    let current = this.root
    for (const name of names(path)) {
      let child = current.children.get(name)
      if (child === undefined) {
        if (!make) throw new AlluxioError('NOT_FOUND', `${path} does not exist`)
        child = { ...directory(nowMs), ...attributes }
        current.children.set(name, child)
        current.modifiedMs = nowMs
      }
      if (child.kind === 'file') throw new AlluxioError('NOT_A_DIRECTORY', `${path}: ${name} is a file`)
      current = child
    }
    return current
  }

  totalBytes(node: MemoryNode = this.root): number {
    if (node.kind === 'file') return node.bytes.length
    let total = 0
    for (const child of node.children.values()) total += this.totalBytes(child)
    return total
  }
}

function directory(modifiedMs: number): MemoryDirectory {
  return {
    kind: 'directory',
    children: new Map(),
    modifiedMs,
    mode: 0o755,
    owner: 'alluxio',
    group: 'alluxio',
  }
}

function names(path: string): string[] {
  return path === '' ? [] : path.split('/')
}
