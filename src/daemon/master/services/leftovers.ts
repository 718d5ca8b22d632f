/**
 * Takes out of an under-store what a write left there that no file of the namespace stands for: the file was deleted or
 * replaced while its bytes were on their way. An object is known by its fingerprint, so what others put in its place stays.
 */
import { isAlluxioError, isWithin, type Log, parentPath, type Runtime } from '../../../core/index.ts'
import type { Namespace } from '../../../namespace/index.ts'
import type { UnderStore } from '../../../ufs/index.ts'
import { ifPresent, type UnderStores } from '../../under-stores.ts'
import type { PathLocks } from './path-locks.ts'

/** A writer that has not completed its file for so long is not expected to put its object any more. */
const EXPECTED_MS = 10 * 60_000

export interface LeftoversModules {
  readonly runtime: Runtime
  readonly namespace: Namespace
  readonly stores: UnderStores
  readonly locks: PathLocks
  readonly log: Log
}

export class Leftovers {
  readonly #modules: LeftoversModules
  /** Paths that through writes upload to, with how many and until when. */
  readonly #expected = new Map<string, { writers: number; untilMs: number }>()

  constructor(modules: LeftoversModules) {
    this.#modules = modules
  }

  /** A file is being written through to this path; it may be moved or deleted before its object is there. */
  expect(path: string): void {
    const untilMs = this.#modules.runtime.monotonic() + EXPECTED_MS
    this.#expected.set(path, { writers: (this.#expected.get(path)?.writers ?? 0) + 1, untilMs })
  }

  /** The object has come, and what is to become of it is decided. */
  arrived(path: string): void {
    const expected = this.#expected.get(path)
    if (expected !== undefined && --expected.writers === 0) this.#expected.delete(path)
  }

  /** Whether what stands there may be of a writer who has not completed its file. */
  isExpected(path: string): boolean {
    const expected = this.#expected.get(path)
    if (expected === undefined) return false
    if (expected.untilMs > this.#modules.runtime.monotonic()) return true
    this.#expected.delete(path)
    return false
  }

  /** The same for a directory, which may be there only because of what is written below it. */
  isExpectedBelow(path: string): boolean {
    for (const target of this.#expected.keys())
      if (isWithin(target, path) && this.isExpected(target)) return true
    return false
  }

  /** Removes the object of this version at the namespace path, and directories that it alone kept. Never throws. */
  async discard(path: string, fingerprint: string): Promise<void> {
    const { namespace, stores, locks, log } = this.#modules
    try {
      await locks.exclusive([path], async () => {
        const { mount, path: below } = namespace.resolve(path)
        const store = await stores.get(mount)
        const found = await ifPresent(store.status(below))
        if (found === undefined || found.directory || found.fingerprint !== fingerprint) return
        const inode = namespace.inode(path)
        // Somebody looked meanwhile and took it for a file.
        if (inode?.record.persistence === 'PERSISTED' && inode.record.tail.fp === fingerprint)
          await namespace.evict(path)
        await ifPresent(store.delete(below))
        await this.prune(store, path)
      })
    } catch (error) {
      log.warn('a leftover stays in the under-store', { path, error })
    }
  }

  /** Removes the object of a file that was replaced, whatever its version is. @throws what the store throws */
  async drop(path: string): Promise<void> {
    const { namespace, stores, locks } = this.#modules
    await locks.exclusive([path], async () => {
      if (namespace.inode(path)?.record.persistence === 'PERSISTED') return
      const { mount, path: below } = namespace.resolve(path)
      await ifPresent((await stores.get(mount)).delete(below))
    })
  }

  /** Removes directories above `path` that are empty in the store and unknown here. */
  async prune(store: UnderStore, path: string): Promise<void> {
    const { namespace } = this.#modules
    const { mount } = namespace.resolve(path)
    for (
      let parent = parentPath(path);
      parent !== mount.path && parent !== '/';
      parent = parentPath(parent)
    ) {
      if (namespace.inode(parent) !== undefined) return
      try {
        await store.delete(namespace.resolve(parent).path)
      } catch (error) {
        if (!isAlluxioError(error, 'NOT_FOUND')) return
      }
    }
  }
}
