/**
 * YARN: container requests for an application master of one's own (soft: nodes, racks, then anywhere), and for YARN Services, whose
 * constraints are hard and compare one value, a boolean attribute on the chosen nodes.
 */
import { bestHosts, type HintAdapter, numberFact, recordsFact, sharedHosts } from './adapter.ts'

const ATTRIBUTE = 'alluxio-cache'
const NODES = 3

/** Facts: `priority` (of the first path, 1), `nodes` to pin to (3), `racks: [{host, rack}]`. */
export const yarn: HintAdapter = {
  name: 'yarn',
  summary:
    'container requests with nodes, racks and relaxLocality; a placement policy and node attributes for YARN Services',
  adapt(hints, facts) {
    const priority = numberFact(facts, 'priority', 1)
    const racks = new Map(recordsFact(facts, 'racks', ['host', 'rack']).map(({ host, rack }) => [host, rack]))
    const containerRequests = hints.map((hint, i) => {
      const nodes = bestHosts(hint, NODES)
      const rackNames = [...new Set(nodes.flatMap((node) => racks.get(node) ?? []))]
      // Requests for one place must agree on relaxing it within a priority: each path has its own.
      return {
        path: hint.path,
        priority: priority + i,
        allocationRequestId: i + 1,
        nodes,
        racks: rackNames,
        relaxLocality: true,
      }
    })
    const pinned = sharedHosts(hints)
      .slice(0, Math.max(1, numberFact(facts, 'nodes', NODES)))
      .map(({ host }) => host)
    return {
      containerRequests,
      nodeAttributes: pinned.map((host) => `${host}:${ATTRIBUTE}=true`),
      placementPolicy: {
        constraints: [
          {
            name: 'beside-data',
            type: 'AFFINITY',
            scope: 'node',
            node_attributes: { [`rm.yarn.io/${ATTRIBUTE}`]: ['true'] },
          },
        ],
      },
    }
  },
}
