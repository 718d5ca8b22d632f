/** Which folder of a tier takes a new block. Every policy sees only folders that have the space. */
import type { AllocationPolicy, FolderState } from './types.ts'

/** The folder with the most free bytes. */
export function maxFree(): AllocationPolicy {
  return {
    name: 'MaxFree',
    choose(folders) {
      let best: FolderState | undefined
      for (const folder of folders) if (best === undefined || folder.freeBytes > best.freeBytes) best = folder
      return best
    },
  }
}

/** The next folder after the one that was taken last, in each tier. */
export function roundRobin(): AllocationPolicy {
  const last = new Map<number, number>()
  return {
    name: 'RoundRobin',
    choose(folders) {
      const first = folders[0]
      if (first === undefined) return undefined
      const after = last.get(first.tier) ?? -1
      const chosen = folders.find((folder) => folder.index > after) ?? first
      last.set(first.tier, chosen.index)
      return chosen
    },
  }
}

/** The first folder that has the space. */
export function greedy(): AllocationPolicy {
  return { name: 'Greedy', choose: (folders) => folders[0] }
}
