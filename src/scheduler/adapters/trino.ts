/**
 * Trino: what a connector of one's own gives its splits: addresses of hosts that hold the data (its scheduler then runs the split there
 * and nowhere else while they live, so only true ones are told), or, where nobody does, an affinity key, from which Trino itself
 * chooses a node. Its own file systems take neither: those read through the S3 gateway of a worker on each node.
 */
import { type HintAdapter, numberFact } from './adapter.ts'

const ADDRESSES = 2
const SURE = 0.5

/** Facts: `confidence` that a host needs to be told (0.5). */
export const trino: HintAdapter = {
  name: 'trino',
  summary: 'addresses or affinity keys of splits, for a connector of your own',
  adapt(hints, facts) {
    const sure = numberFact(facts, 'confidence', SURE)
    return hints.map(({ path, length, blocks, hosts: ranked }) => {
      const trusted = new Set(ranked.filter(({ confidence }) => confidence >= sure).map(({ host }) => host))
      const splits = blocks.map((block) => {
        const held = block.hosts.map(({ host }) => host).filter((host) => trusted.has(host))
        const addresses = held.slice(0, ADDRESSES)
        return {
          offset: block.offset,
          length: block.length,
          addresses,
          // One excludes the other.
          affinityKey: addresses.length > 0 ? null : `${path}:${block.offset}:${block.length}`,
        }
      })
      return { path, length, splits }
    })
  },
}
