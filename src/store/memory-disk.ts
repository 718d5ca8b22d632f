/**
 * A disk in memory for tests and the simulation. What was written is seen at once, but a crash of the machine keeps only what
 * was synced, and of the rest a random part: single pages of unsynced writes (torn), and a random prefix of the
 * changes of names in each folder. Folders declared volatile (tmpfs) lose everything in such a crash.
 */
import type { BlockDisk, BlockFile, FileFacts } from '../arrow/index.ts'
import { AlluxioError, type Runtime } from '../core/index.ts'

const PAGE = 4096

interface Node {
  data: Buffer
  size: number
  mtimeMs: number
  /** Contents as of the last sync. */
  synced: Buffer
  /** Pages changed since. */
  readonly dirty: Set<number>
}

/** A change of names that is not on stable storage yet. */
type NameChange =
  | { readonly kind: 'set'; readonly path: string; readonly node: Node }
  | { readonly kind: 'remove'; readonly path: string }

export interface MemoryDiskOptions {
  /** Folders that a crash of the machine empties. @default none */
  readonly volatileFolders?: readonly string[]
  /** Bytes of each folder's file system. @default unlimited */
  readonly capacityBytes?: number
}

export class MemoryDisk implements BlockDisk {
  #bootTag: string
  readonly #runtime: Pick<Runtime, 'now' | 'random' | 'randomBytes'>
  readonly #options: MemoryDiskOptions
  readonly #folders = new Set<string>()
  #names = new Map<string, Node>()
  /** Names as of the last sync of their folder. */
  #syncedNames = new Map<string, Node>()
  #unsynced: NameChange[] = []
  /** Called before each operation; may throw to make it fail. */
  fault: (operation: string, path: string) => void = () => {}

  constructor(
    options: MemoryDiskOptions,
    modules: { readonly runtime: Pick<Runtime, 'now' | 'random' | 'randomBytes'> },
  ) {
    this.#options = options
    this.#runtime = modules.runtime
    this.#bootTag = this.#newBoot()
  }

  get bootTag(): string {
    return this.#bootTag
  }

  #newBoot(): string {
    return Buffer.from(this.#runtime.randomBytes(new Uint8Array(8))).toString('hex')
  }

  open(path: string, mode: 'read' | 'create' | 'update'): BlockFile {
    this.fault('open', path)
    let node = this.#names.get(path)
    if (mode === 'create') {
      if (!this.#folders.has(folderOf(path))) throw posix('ENOENT', 'open', path)
      node = {
        data: Buffer.alloc(0),
        size: 0,
        mtimeMs: this.#runtime.now(),
        synced: Buffer.alloc(0),
        dirty: new Set(),
      }
      this.#set(path, node)
    }
    if (node === undefined) throw posix('ENOENT', 'open', path)
    return this.#file(path, node)
  }

  #set(path: string, node: Node): void {
    this.#names.set(path, node)
    this.#unsynced.push({ kind: 'set', path, node })
  }

  #unset(path: string): void {
    this.#names.delete(path)
    this.#unsynced.push({ kind: 'remove', path })
  }

  facts(path: string): FileFacts {
    this.fault('stat', path)
    const node = this.#names.get(path)
    if (node !== undefined) return factsOf(node)
    if (this.#folders.has(path)) return { size: 0, mtimeMs: 0, allocatedBytes: 0 }
    throw posix('ENOENT', 'stat', path)
  }

  rename(from: string, to: string): void {
    this.fault('rename', from)
    const node = this.#names.get(from)
    if (node === undefined) throw posix('ENOENT', 'rename', from)
    this.#unset(from)
    this.#set(to, node)
  }

  async remove(path: string): Promise<void> {
    this.fault('unlink', path)
    if (this.#names.has(path)) this.#unset(path)
  }

  makeFolder(path: string): void {
    this.fault('mkdir', path)
    this.#folders.add(path)
  }

  async *list(folder: string): AsyncIterable<readonly string[]> {
    this.fault('list', folder)
    if (!this.#folders.has(folder)) throw posix('ENOENT', 'list', folder)
    const names = [...this.#names.keys()].filter((path) => folderOf(path) === folder)
    yield names.map((path) => path.slice(folder.length + 1)).sort()
  }

  async syncFolder(folder: string): Promise<void> {
    this.fault('fsync', folder)
    const kept: NameChange[] = []
    for (const change of this.#unsynced) {
      if (folderOf(change.path) === folder) apply(this.#syncedNames, change)
      else kept.push(change)
    }
    this.#unsynced = kept
  }

  space(folder: string): { totalBytes: number; freeBytes: number } {
    this.fault('statfs', folder)
    const totalBytes = this.#options.capacityBytes ?? 2 ** 50
    return { totalBytes, freeBytes: Math.max(0, totalBytes - this.#usedBytes(folder)) }
  }

  #usedBytes(folder: string): number {
    let used = 0
    for (const [path, node] of this.#names) {
      if (path.startsWith(`${folder}/`)) used += factsOf(node).allocatedBytes
    }
    return used
  }

  /** The process died: the kernel keeps what it has. Files that were open are of no more use to it. */
  crashProcess(): void {}

  /** The machine died: unsynced pages and names survive at random. */
  crashMachine(): void {
    const names = this.#syncedNames
    // File systems keep the order of changes of names: a prefix of them survives.
    const kept = Math.floor(this.#runtime.random() * (this.#unsynced.length + 1))
    for (const change of this.#unsynced.slice(0, kept)) apply(names, change)
    this.#unsynced = []
    const isVolatile = (path: string) =>
      (this.#options.volatileFolders ?? []).some((folder) => path.startsWith(`${folder}/`))
    this.#names = new Map([...names].filter(([path]) => !isVolatile(path)))
    this.#syncedNames = new Map(this.#names)
    for (const node of new Set(this.#names.values())) this.#tear(node)
    this.#bootTag = this.#newBoot()
  }

  #tear(node: Node): void {
    if (node.dirty.size === 0) return
    const size = this.#runtime.random() < 0.5 ? node.size : Math.min(node.size, node.synced.length)
    const data = Buffer.alloc(size)
    node.synced.copy(data, 0, 0, size)
    for (const page of node.dirty) {
      if (this.#runtime.random() < 0.5) node.data.copy(data, page * PAGE, page * PAGE, (page + 1) * PAGE)
    }
    node.data = data
    node.size = size
    node.synced = Buffer.from(data)
    node.dirty.clear()
  }

  /** Flips bits of a file as a bad disk would, or a foreign process. */
  corrupt(path: string, position: number, mask: number, touch: boolean): void {
    const node = this.#names.get(path)
    if (node === undefined) throw posix('ENOENT', 'corrupt', path)
    node.data[position]! ^= mask
    if (touch) node.mtimeMs = this.#runtime.now() + 0.1
  }

  #file(path: string, node: Node): BlockFile {
    const check = (operation: string) => this.fault(operation, path)
    const grow = (size: number) => {
      const capacity = this.#options.capacityBytes
      if (capacity !== undefined && this.#usedBytes(folderOf(path)) + size - node.size > capacity) {
        throw posix('ENOSPC', 'write', path)
      }
    }
    const runtime = this.#runtime
    return {
      path,
      facts: () => factsOf(node),
      readSync(buffer, position) {
        check('read')
        const n = Math.max(0, Math.min(buffer.length, node.size - position))
        buffer.set(node.data.subarray(position, position + n))
        return n
      },
      async read(buffer, position) {
        return this.readSync(buffer, position)
      },
      writeSync(bytes, position) {
        check('write')
        if (position + bytes.length > node.size) {
          grow(position + bytes.length)
          resize(node, position + bytes.length)
        }
        node.data.set(bytes, position)
        dirty(node, position, bytes.length)
        node.mtimeMs = runtime.now() + 0.1
      },
      async write(bytes, position) {
        this.writeSync(bytes, position)
      },
      setModified(ms) {
        node.mtimeMs = ms
      },
      resize(size) {
        check('truncate')
        resize(node, size)
        node.mtimeMs = runtime.now() + 0.1
      },
      async sync() {
        check('fdatasync')
        node.synced = Buffer.from(node.data.subarray(0, node.size))
        node.dirty.clear()
      },
      // A copy: a view of memory that grows elsewhere would go stale.
      map: () => undefined,
      close() {},
    }
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function factsOf(node: Node): FileFacts {
  return { size: node.size, mtimeMs: node.mtimeMs, allocatedBytes: Math.ceil(node.size / PAGE) * PAGE }
}

function resize(node: Node, size: number): void {
  if (size > node.data.length) {
    const grown = Buffer.alloc(Math.max(size, node.data.length * 2))
    node.data.copy(grown, 0, 0, node.size)
    node.data = grown
  } else if (size < node.size) node.data.fill(0, size, node.size)
  dirty(node, Math.min(size, node.size), Math.abs(size - node.size))
  node.size = size
}

function dirty(node: Node, position: number, length: number): void {
  for (let page = Math.floor(position / PAGE); page * PAGE < position + length; page++) node.dirty.add(page)
}

function apply(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === 'set') names.set(change.path, change.node)
  else names.delete(change.path)
}

function posix(reason: string, operation: string, path: string): AlluxioError {
  const codes: Record<string, 'NOT_FOUND' | 'RESOURCE_EXHAUSTED'> = {
    ENOENT: 'NOT_FOUND',
    ENOSPC: 'RESOURCE_EXHAUSTED',
  }
  return new AlluxioError(codes[reason] ?? 'INTERNAL', `${operation} ${path}: ${reason}`, {
    reason,
    details: { path },
  })
}
