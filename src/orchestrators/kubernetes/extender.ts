/** A scheduler extender: `filter` and `prioritize`. Go's names have no tags there, so they are capitalised exactly so. */
import type { PathHint } from '../../client/index.ts'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { prioritize } from '../../scheduler/index.ts'
import type { NodePlaces } from './node-places.ts'
import type { List, Node, Pod } from './objects.ts'
import { inputsOf, needsLocality } from './pod-inputs.ts'

/** Of a scheduler with `nodeCacheCapable` only the names come, else only the nodes. */
export interface ExtenderArgs {
  readonly Pod: Pod
  readonly Nodes?: List<Node> | null
  readonly NodeNames?: readonly string[] | null
}

export interface ExtenderFilterResult {
  readonly Nodes: List<Node> | null
  readonly NodeNames: readonly string[] | null
  readonly FailedNodes: Readonly<Record<string, string>>
  /** No eviction of other pods would help there. */
  readonly FailedAndUnresolvableNodes: Readonly<Record<string, string>>
  readonly Error: string
}

export interface HostPriority {
  readonly Host: string
  /** 0 to 10. */
  readonly Score: number
}

export interface ExtenderModules {
  readonly places: NodePlaces
  /** Told why a pod is judged without hints. */
  readonly onMissing: (why: string) => void
}

export class Extender {
  readonly #m: ExtenderModules

  constructor(modules: ExtenderModules) {
    this.#m = modules
  }

  /** All nodes, but for a pod that requires locality those only that hold some of its inputs, if there are such. */
  async filter(args: ExtenderArgs): Promise<ExtenderFilterResult> {
    const { Pod, Nodes = null, NodeNames = null } = args
    const all = { Nodes, NodeNames, FailedNodes: {}, FailedAndUnresolvableNodes: {}, Error: '' }
    if (!needsLocality(Pod)) return all
    const hints = await this.#hints(args)
    const holders = new Set(hints.flatMap((hint) => holdersOf(hint)))
    const kept = nodesOf(args).filter((node) => holders.has(nameOf(node)))
    if (kept.length === 0) return all
    const inputs = hints.map(({ path }) => path).join(', ')
    const failed = nodesOf(args)
      .map(nameOf)
      .filter((name) => !holders.has(name))
      .map((name) => [name, `alluxio: holds nothing of ${inputs}`] as const)
    return {
      ...all,
      Nodes:
        Nodes === null
          ? null
          : {
              ...Nodes,
              items: (Nodes.items ?? []).filter(({ metadata }) => holders.has(metadata.name ?? '')),
            },
      NodeNames: NodeNames === null ? null : NodeNames.filter((name) => holders.has(name)),
      FailedAndUnresolvableNodes: Object.fromEntries(failed),
    }
  }

  async prioritize(args: ExtenderArgs): Promise<HostPriority[]> {
    return prioritize(nodesOf(args).map(nameOf), await this.#hints(args))
  }

  /** None for a pod without inputs, or if there are none to be had: it is scheduled as others are. */
  async #hints(args: ExtenderArgs): Promise<readonly PathHint[]> {
    try {
      const inputs = inputsOf(args.Pod)
      if (inputs.length === 0) return []
      const { hints, missing } = await this.#m.places.byNode(inputs, nodesOf(args))
      if (missing !== undefined) this.#m.onMissing(missing)
      return hints
    } catch (error) {
      if (!isAlluxioError(error)) throw error
      this.#m.onMissing(error.message)
      return []
    }
  }
}

/** @throws INVALID_ARGUMENT */
export function checkedArgs(value: unknown): ExtenderArgs {
  const args = value as Partial<ExtenderArgs> | null
  const named = args?.NodeNames ?? undefined
  const nodes = args?.Nodes?.items
  const isOne = typeof args?.Pod?.metadata === 'object' && args.Pod.metadata !== null
  const isNamed =
    named === undefined || (Array.isArray(named) && named.every((name) => typeof name === 'string'))
  const isWhole =
    nodes === undefined ||
    (Array.isArray(nodes) && nodes.every((node: Node | null) => typeof node?.metadata === 'object'))
  if (isOne && isNamed && isWhole) return args as ExtenderArgs
  throw new AlluxioError('INVALID_ARGUMENT', 'these are no ExtenderArgs: Pod and Nodes or NodeNames')
}

function nodesOf({ Nodes, NodeNames }: ExtenderArgs): readonly (string | Node)[] {
  return NodeNames ?? Nodes?.items ?? []
}

function nameOf(node: string | Node): string {
  return typeof node === 'string' ? node : (node.metadata.name ?? '')
}

function holdersOf({ hosts }: PathHint): string[] {
  return hosts.filter(({ bytes }) => bytes.MEM + bytes.SSD + bytes.HDD > 0).map(({ host }) => host)
}
