/** Kubernetes: preferred node affinity for an admission webhook, and scores for a scheduler extender. */
import type { PathHint } from '../types.ts'
import { type EngineFacts, type HintAdapter, sharedHosts } from './adapter.ts'

/** Terms of an affinity: hosts of about the same worth share one. */
const TERMS = 5
const NODES_A_TERM = 100
const MAX_SCORE = 10

interface Term {
  readonly weight: number
  readonly preference: {
    readonly matchExpressions: readonly {
      readonly key: string
      readonly operator: 'In'
      readonly values: readonly string[]
    }[]
  }
}

/** Facts: `nodeKey`, the label that names a node (kubernetes.io/hostname). Hosts are to be named as that label names them. */
export const kubernetes: HintAdapter = {
  name: 'k8s',
  summary: 'preferred node affinity of a pod with these inputs',
  adapt(hints, facts) {
    return { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferredTerms(hints, facts) } }
  },
}

export function preferredTerms(hints: readonly PathHint[], facts: EngineFacts = {}): Term[] {
  const key = typeof facts.nodeKey === 'string' ? facts.nodeKey : 'kubernetes.io/hostname'
  const buckets = new Map<number, string[]>()
  for (const { host, weight } of sharedHosts(hints)) {
    const bucket = Math.ceil(weight * TERMS)
    if (bucket === 0) continue
    const values = buckets.get(bucket)
    if (values === undefined) buckets.set(bucket, [host])
    else if (values.length < NODES_A_TERM) values.push(host)
  }
  return [...buckets].map(([bucket, values]) => ({
    weight: (bucket * 100) / TERMS,
    preference: { matchExpressions: [{ key, operator: 'In', values }] },
  }))
}

/** The answer of a scheduler extender to `prioritize`: its names are capitalised exactly so. */
export function prioritize(
  nodes: readonly string[],
  hints: readonly PathHint[],
): { Host: string; Score: number }[] {
  const weights = new Map(sharedHosts(hints).map(({ host, weight }) => [host.toLowerCase(), weight]))
  return nodes.map((Host) => ({
    Host,
    Score: Math.round((weights.get(Host.toLowerCase()) ?? 0) * MAX_SCORE),
  }))
}
