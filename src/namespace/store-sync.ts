/**
 * What a sync of a subtree with its under-store needs of the namespace: the tree in the store's order, and changes that are
 * written down only where something differs. And the paths that are synced again and again by themselves.
 */
import { type FileId, FLAG_CHILDREN_LOADED, FLAG_STALE, RecordView } from '../core/index.ts'
import { childPath } from './create.ts'
import type { Directory } from './directory.ts'
import type { Engine } from './engine.ts'
import { inodeKey } from './keys.ts'
import { isGone, load } from './load.ts'
import { removePlace } from './move.ts'
import { OrderedWalk, type WalkOrder } from './ordered-walk.ts'
import type { LoadOutcome, LoadRequest } from './types.ts'

export interface StoreSyncModules {
  readonly engine: Engine
  /** Runs a change of the namespace to its durable end. */
  readonly change: <T>(name: string, plan: () => T) => Promise<T>
}

export interface GoneRequest {
  /** Directory whose children were not found. */
  readonly path: string
  readonly children: readonly { readonly name: string; readonly id: FileId }[]
  /** When the store was asked, ms: what came there later is left alone. */
  readonly listedMs: number
}

/** A path that the master syncs by itself (`fs startSync`). */
export interface SyncedPath {
  readonly path: string
  readonly sinceMs: number
}

const PATHS = Buffer.from('synced-paths')
const NOTHING_DONE: LoadOutcome = { added: 0, updated: 0, removed: 0, changedFiles: [] }

export class StoreSync {
  readonly #modules: StoreSyncModules

  constructor(modules: StoreSyncModules) {
    this.#modules = modules
  }

  /** The inodes below a directory in a store's order; undefined if there is no such directory. */
  walk(path: string, order: WalkOrder): OrderedWalk | undefined {
    const { tree } = this.#modules.engine
    const directory = this.#directory(path)
    return directory === undefined ? undefined : new OrderedWalk(tree, directory.id, order)
  }

  /** Whether all children of a directory were listed once, and not in vain since. */
  isLoaded(path: string): boolean {
    const directory = this.#directory(path)
    return directory !== undefined && isLoaded(directory)
  }

  /** As `Namespace.load` with `some`; nothing, where the directory has gone. */
  found(request: Omit<LoadRequest, 'coverage'>): Promise<LoadOutcome> {
    return this.#modules.change('sync', () => {
      if (this.#directory(request.path) === undefined) return NOTHING_DONE
      return load(this.#modules.engine, { ...request, coverage: 'some' })
    })
  }

  /** Takes children away that their store does not have. Those stay that hold what is nowhere else, or came later. */
  gone({ path, children, listedMs }: GoneRequest): Promise<LoadOutcome> {
    const { engine } = this.#modules
    return this.#modules.change('sync', () => {
      const directory = this.#directory(path)
      if (directory === undefined) return NOTHING_DONE
      const changedFiles: FileId[] = []
      let removed = 0
      for (const { name, id } of children) {
        const key = inodeKey(directory.id, name)
        const record = engine.tree.store.get('inode', key)
        if (record === undefined) continue
        const view = new RecordView(record)
        const child = childPath(path, name)
        if (view.id !== id || !isGone(engine, child, view, listedMs)) continue
        if (!view.directory) changedFiles.push(id)
        removePlace(engine, child, { parent: directory, name, key, record })
        removed++
      }
      return { added: 0, updated: 0, removed, changedFiles }
    })
  }

  /** All children of the directory are known; nothing is written if they were. */
  loaded(path: string, listedMs: number): Promise<void> {
    const { engine } = this.#modules
    return this.#modules.change('sync', () => {
      const directory = this.#directory(path)
      if (directory === undefined || isLoaded(directory)) return
      const { parent, name, key, record } = directory
      const { flags, persistence } = new RecordView(record)
      if (persistence !== 'PERSISTED') return
      engine.change(
        { parent, name, key, record },
        {
          flags: (flags | FLAG_CHILDREN_LOADED) & ~FLAG_STALE,
          syncedSeconds: Math.floor(listedMs / 1000),
        },
      )
    })
  }

  paths(): readonly SyncedPath[] {
    const value = this.#modules.engine.tree.store.get('meta', PATHS)
    return value === undefined ? [] : JSON.parse(value.toString())
  }

  /** False if it is there already. */
  addPath(path: string): Promise<boolean> {
    return this.#modules.change('sync', () => {
      const before = this.paths()
      if (before.some((one) => one.path === path)) return false
      this.#put([...before, { path, sinceMs: this.#modules.engine.runtime.now() }])
      return true
    })
  }

  /** False if it is not there. */
  removePath(path: string): Promise<boolean> {
    return this.#modules.change('sync', () => {
      const before = this.paths()
      const after = before.filter((one) => one.path !== path)
      if (after.length === before.length) return false
      this.#put(after)
      return true
    })
  }

  #put(paths: readonly SyncedPath[]): void {
    this.#modules.engine.tree.put('meta', PATHS, Buffer.from(JSON.stringify(paths)))
  }

  #directory(path: string): Directory | undefined {
    try {
      return this.#modules.engine.tree.directory(path)
    } catch {
      // A file is in the way.
      return undefined
    }
  }
}

function isLoaded({ record }: Directory): boolean {
  const { flags } = new RecordView(record)
  return (flags & (FLAG_CHILDREN_LOADED | FLAG_STALE)) === FLAG_CHILDREN_LOADED
}
