/** Stores in memory. Owns nothing outside the process; `MemoryTree` is the content, `MemoryStore` one opened view of it. */
import type { UfsFactory } from '../registry.ts'
import { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'
import { MemoryTree } from './memory-tree.ts'

export { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'
export { MemoryTree } from './memory-tree.ts'

/** Serves `mem://NAME/…`: stores of one factory that have the same URI share their content. */
export function memoryFactory(
  options: MemoryStoreOptions = {},
): UfsFactory & { tree(name: string): MemoryTree } {
  const trees = new Map<string, MemoryTree>()
  const tree = (name: string): MemoryTree => {
    const known = trees.get(name) ?? new MemoryTree()
    trees.set(name, known)
    return known
  }
  return {
    schemes: ['mem'],
    tree,
    open: async (uri, _options, { runtime }) => new MemoryStore(options, { runtime, tree: tree(uri.text) }),
  }
}
