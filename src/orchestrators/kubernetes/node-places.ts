/** Ranks of nodes: each is asked for by all of its names, and the answers are told by the one that matters. */
import type { HostHint, PathHint } from '../../client/index.ts'
import { type Log, type Runtime, toAlluxioError } from '../../core/index.ts'
import type { HintSource } from '../hint-source.ts'
import type { KubeApi } from './api-server.ts'
import type { Node } from './objects.ts'

export interface NodePlacesOptions {
  /** Label whose value affinity compares, such as kubernetes.io/hostname. */
  readonly nodeLabel: string
}

export interface NodePlacesModules {
  readonly source: HintSource
  /** Absent: nodes are known by what callers say, and hosts are called what their workers call them. */
  readonly api: KubeApi | undefined
  readonly runtime: Runtime
  readonly log: Log
}

export interface NodeNames {
  readonly node: string
  /** Value of the label. */
  readonly label: string
  readonly names: readonly string[]
}

/** Hints whose hosts are nodes, or why there are none. */
export interface Ranked {
  readonly hints: readonly PathHint[]
  readonly missing?: string
}

const REFRESH_MS = 30_000
/** Names that one question may have. */
const MAX_NAMES = 10_000

export class NodePlaces {
  readonly #options: NodePlacesOptions
  readonly #m: NodePlacesModules
  #known: readonly NodeNames[] = []
  #byNode: ReadonlyMap<string, NodeNames> = new Map()
  #listedMs = Number.NEGATIVE_INFINITY
  #listing: Promise<void> | undefined

  constructor(options: NodePlacesOptions, modules: NodePlacesModules) {
    this.#options = options
    this.#m = modules
  }

  /** Hosts by the value of the label. @throws as HintSource.rank */
  async byLabel(paths: readonly string[]): Promise<Ranked> {
    await this.#refresh()
    return await this.#rank(paths, this.#known, ({ label }) => label)
  }

  /** Hosts by the names of nodes, which are told whole or by name. @throws as HintSource.rank */
  async byNode(paths: readonly string[], nodes: readonly (string | Node)[]): Promise<Ranked> {
    const isNamed = nodes.some((node) => typeof node === 'string')
    if (isNamed) await this.#refresh()
    const asked = nodes.map((node) =>
      typeof node === 'string' ? (this.#byNode.get(node) ?? onlyName(node)) : this.#namesOf(node),
    )
    return await this.#rank(paths, asked, ({ node }) => node)
  }

  async #rank(
    paths: readonly string[],
    nodes: readonly NodeNames[],
    nameOf: (node: NodeNames) => string,
  ): Promise<Ranked> {
    const byName = new Map<string, string>()
    for (const node of nodes)
      for (const name of node.names) if (byName.size < MAX_NAMES) byName.set(name.toLowerCase(), nameOf(node))
    const { hints, missing } = await this.#m.source.rank(paths, [...byName.keys()])
    if (hints === undefined) return { hints: [], missing }
    return { hints: hints.map((hint) => ({ ...hint, hosts: renamed(hint.hosts, byName) })) }
  }

  #namesOf({ metadata, status }: Node): NodeNames {
    const { name = '', labels } = metadata
    const label = labels?.[this.#options.nodeLabel] ?? name
    const addresses = (status?.addresses ?? []).map(({ address }) => address)
    return { node: name, label, names: [...new Set([name, label, ...addresses])] }
  }

  /** The first time it is waited for; afterwards the former list does meanwhile. */
  async #refresh(): Promise<void> {
    const { api, runtime, log } = this.#m
    if (api === undefined) return
    const isFirst = this.#listedMs === Number.NEGATIVE_INFINITY
    if (this.#listing === undefined && runtime.monotonic() - this.#listedMs > REFRESH_MS) {
      this.#listedMs = runtime.monotonic()
      this.#listing = api
        .list<Node>('/api/v1/nodes')
        .then((nodes) => {
          this.#known = nodes.map((node) => this.#namesOf(node))
          this.#byNode = new Map(this.#known.map((node) => [node.node, node]))
        })
        .catch((error) => log.warn('nodes are not listed', { error: toAlluxioError(error).message }))
        .finally(() => {
          this.#listing = undefined
        })
    }
    if (isFirst) await this.#listing
  }
}

function onlyName(node: string): NodeNames {
  return { node, label: node, names: [node] }
}

/** Best first still; of a node that was found under several names the best. A host that is no node keeps its name. */
function renamed(hosts: readonly HostHint[], names: ReadonlyMap<string, string>): HostHint[] {
  const found = new Map<string, HostHint>()
  for (const hint of hosts) {
    const host = names.get(hint.host.toLowerCase()) ?? hint.host
    if (!found.has(host)) found.set(host, { ...hint, host })
  }
  return [...found.values()]
}
