/** What the namespace reports of itself. */
import type { Counter, Family, Metrics } from '../core/index.ts'
import type { BlockMap } from './block-map.ts'
import type { Listing } from './listing.ts'
import type { Tree } from './tree.ts'
import type { Summary } from './types.ts'

interface Sources {
  readonly totals: () => Summary
  readonly blocks: BlockMap
  readonly listing: Listing
  readonly tree: Tree
}

export class NamespaceMetrics {
  readonly #operations: Family<Counter>
  /** The family's children by operation: its own look-up builds a label text. */
  readonly #counters = new Map<string, Counter>()

  constructor(metrics: Metrics, { totals, blocks, listing, tree }: Sources) {
    this.#operations = metrics.counters(
      'alluxio_master_namespace_operations_total',
      'Operations planned by the namespace, with those that failed.',
    )
    metrics.observe('alluxio_master_inodes', 'Files and directories.', () => {
      const { files, directories } = totals()
      return [
        [{ kind: 'file' }, files],
        [{ kind: 'directory' }, directories],
      ]
    })
    const gauge = (name: string, help: string, read: () => number) =>
      metrics.observe(name, help, () => [[{}, read()]])
    gauge('alluxio_master_namespace_bytes', 'Length of all files.', () => totals().bytes)
    gauge('alluxio_master_blocks', 'Blocks that a worker holds.', () => blocks.blocks)
    gauge('alluxio_master_block_replicas', 'Replicas of blocks.', () => blocks.replicas)
    gauge('alluxio_master_listing_cache_bytes', 'Memory of cached listing pages.', () => listing.bytes)
    gauge('alluxio_master_listing_cache_hits', 'Listing pages served from the cache.', () => listing.hits)
    gauge('alluxio_master_listing_cache_misses', 'Listing pages that were built.', () => listing.misses)
    gauge(
      'alluxio_master_directories_in_memory',
      'Directories kept in memory.',
      () => tree.directoriesInMemory,
    )
  }

  count(operation: string): void {
    let counter = this.#counters.get(operation)
    if (counter === undefined) {
      counter = this.#operations.with({ operation })
      this.#counters.set(operation, counter)
    }
    counter.value++
  }
}
