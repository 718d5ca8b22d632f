/**
 * YARN: container requests for an application master of one's own (soft: nodes, racks, then anywhere), and for YARN Services, whose
 * constraints are hard and compare one value, a boolean attribute on the chosen nodes.
 */
import { AlluxioError } from '../../core/index.ts'
import type { PathHint } from '../types.ts'
import {
  bestHosts,
  type EngineFacts,
  type HintAdapter,
  numberFact,
  recordsFact,
  sharedHosts,
} from './adapter.ts'

const ATTRIBUTE = 'alluxio-cache'
const NODES = 3

/** Facts: `priority` (of the first path, 1), `nodes` to pin to (3), `attribute`, `racks: [{host, rack}]`. */
export const yarn: HintAdapter = {
  name: 'yarn',
  summary:
    'container requests with nodes, racks and relaxLocality; nodes to pin to, with the command that marks them',
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
    const { attribute, nodes } = pinOf(hints, facts)
    return {
      containerRequests,
      nodeAttributes: nodes.map((host) => `${host}:${attribute}=true`),
      command: markCommand(attribute, nodes),
    }
  },
}

/**
 * A service for `POST /app/v1/services` of the ResourceManager, a container on each of the nodes that are marked. Facts: `name` (near-data),
 * `command` (what to run), `containers` (as many as nodes), `cpus` (1), `memory` (MB, 1024), `nodes`, `attribute` (may name its prefix:
 * nm.yarn.io/ of the provider script, rm.yarn.io/ of the command, which stands otherwise).
 */
export const yarnService: HintAdapter = {
  name: 'yarn-service',
  summary: 'a service for YARN Services, pinned to the best nodes by one boolean node attribute',
  adapt(hints, facts) {
    const { attribute, nodes } = pinOf(hints, facts)
    const name = wordFact(facts, 'name', 'near-data', /^[a-z][a-z0-9-]{0,62}$/)
    const qualified = attribute.includes('/') ? attribute : `rm.yarn.io/${attribute}`
    const marks = qualified.startsWith('rm.yarn.io/')
      ? markCommand(attribute, nodes)
      : 'the provider script of the NodeManagers'
    return {
      name,
      version: '1.0.0',
      description: `Beside ${hints.map(({ path }) => path).join(', ')}. The nodes are marked by: ${marks}`,
      components: [
        {
          name: 'task',
          number_of_containers: numberFact(facts, 'containers', Math.max(1, nodes.length)),
          launch_command: wordFact(facts, 'command', 'sleep 3600', /^[^\n]+$/),
          resource: {
            cpus: numberFact(facts, 'cpus', 1),
            memory: String(numberFact(facts, 'memory', 1024)),
          },
          placement_policy: {
            constraints: [
              {
                name: 'beside-data',
                type: 'AFFINITY',
                scope: 'NODE',
                // The ResourceManager looks at one value of the list only.
                node_attributes: { [qualified]: ['true'] },
              },
            ],
          },
        },
      ],
    }
  },
}

function pinOf(hints: readonly PathHint[], facts: EngineFacts): { attribute: string; nodes: string[] } {
  const attribute = wordFact(
    facts,
    'attribute',
    ATTRIBUTE,
    /^((nm|rm)\.yarn\.io\/)?[A-Za-z0-9][A-Za-z0-9_-]*$/,
  )
  const nodes = sharedHosts(hints)
    .slice(0, Math.max(1, numberFact(facts, 'nodes', NODES)))
    .map(({ host }) => host)
  return { attribute, nodes }
}

/** For who may administer YARN. It takes names without their prefix. */
function markCommand(attribute: string, nodes: readonly string[]): string {
  const name = attribute.replace(/^.*\//, '')
  return `yarn nodeattributes -add "${nodes.map((host) => `${host}:${name}=true`).join(' ')}"`
}

function wordFact(facts: EngineFacts, name: string, otherwise: string, form: RegExp): string {
  const value = facts[name] ?? otherwise
  if (typeof value === 'string' && form.test(value)) return value
  throw new AlluxioError('INVALID_ARGUMENT', `engine.${name} is no text of the form ${form.source}`, {
    reason: 'ENGINE_FACT',
  })
}
