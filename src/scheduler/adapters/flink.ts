/**
 * Flink: hosts of splits. It compares the first label of names (all before the first dot), also of addresses: so addresses are never
 * told, and of two hosts with the same first label neither.
 */
import type { PathHint } from '../types.ts'
import { bestHosts, type HintAdapter } from './adapter.ts'

const ADDRESS = /^(\d+\.\d+\.\d+\.\d+|.*:.*)$/

export const flink: HintAdapter = {
  name: 'flink',
  summary: 'hosts of splits by first labels that are unique; never addresses',
  adapt(hints) {
    const dropped = new Map<string, string>()
    const usable = usableHosts(hints, dropped)
    const files = hints.map((hint) => ({
      path: hint.path,
      length: hint.length,
      blocks: hint.blocks.map(({ offset, length, hosts }) => ({
        offset,
        length,
        hosts: (hint.cold ? bestHosts(hint, 1) : hosts.map(({ host }) => host)).filter((host) =>
          usable.has(host),
        ),
      })),
    }))
    return { files, dropped: Array.from(dropped, ([host, why]) => ({ host, why })) }
  },
}

function usableHosts(hints: readonly PathHint[], dropped: Map<string, string>): Set<string> {
  const byLabel = new Map<string, Set<string>>()
  for (const { hosts, blocks } of hints) {
    for (const { host } of [...hosts, ...blocks.flatMap((block) => block.hosts)]) {
      const label = host.split('.', 1)[0]!.toLowerCase()
      if (ADDRESS.test(host))
        dropped.set(host, 'an address: Flink would take all hosts of its network for this one')
      else if (byLabel.has(label)) byLabel.get(label)!.add(host)
      else byLabel.set(label, new Set([host]))
    }
  }
  const usable = new Set<string>()
  for (const [label, hosts] of byLabel) {
    if (hosts.size === 1) for (const host of hosts) usable.add(host)
    else
      for (const host of hosts)
        dropped.set(host, `several hosts are called ${label}, which is all that Flink compares`)
  }
  return usable
}
