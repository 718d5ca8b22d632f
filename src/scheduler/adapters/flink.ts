/**
 * Flink: hosts of splits. It compares the first label of names (all before the first dot), also of addresses: so addresses are never
 * told, and of two hosts with the same first label neither. Its plug-in has the same rule for what it knows without the hints
 * (`HostLabels.java`); both are tested by `plugins/flink/src/test/resources/hosts.txt`.
 */
import type { PathHint } from '../types.ts'
import { bestHosts, type HintAdapter } from './adapter.ts'

const ADDRESS = /^([\d.]*|.*:.*)$/

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
  /** Names in lower case under each label, with the names as they were told. */
  const byLabel = new Map<string, Map<string, Set<string>>>()
  for (const { hosts, blocks } of hints) {
    for (const { host } of [...hosts, ...blocks.flatMap((block) => block.hosts)]) {
      const name = host.toLowerCase()
      const label = name.split('.', 1)[0]!
      if (ADDRESS.test(host))
        dropped.set(host, 'an address: Flink would take all hosts of its network for this one')
      else if (label === 'localhost') dropped.set(host, 'every host is called that')
      else {
        const names = byLabel.get(label) ?? new Map<string, Set<string>>()
        names.set(name, (names.get(name) ?? new Set()).add(host))
        byLabel.set(label, names)
      }
    }
  }
  const usable = new Set<string>()
  for (const [label, names] of byLabel) {
    for (const hosts of names.values()) {
      for (const host of hosts) {
        if (names.size === 1) usable.add(host)
        else dropped.set(host, `several hosts are called ${label}, which is all that Flink compares`)
      }
    }
  }
  return usable
}
