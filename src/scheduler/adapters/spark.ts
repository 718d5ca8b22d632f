/**
 * Spark: block locations, which are its only door without user code. It compares strings and nothing else, takes three of a block, and
 * drops `localhost`. On Kubernetes the executors' own names (`executor_<host>_<id>`) stand for their node's host.
 */
import type { BlockHint, PathHint } from '../types.ts'
import { bestHosts, type HintAdapter, recordsFact } from './adapter.ts'

/** Spark sums up bytes of the first three only. */
const MOST = 3

/** Executors that live, by lower-case host: facts `executors: [{node, host, id}]`, where the executor calls itself `host`. */
type Executors = ReadonlyMap<string, readonly string[]>

function executorsOf(facts: Parameters<HintAdapter['adapt']>[1]): Executors {
  const byNode = new Map<string, string[]>()
  for (const { node, host, id } of recordsFact(facts, 'executors', ['node', 'host', 'id'])) {
    // The name ends at the first underscore.
    if (host.includes('_')) continue
    const names = byNode.get(node.toLowerCase())
    const name = `executor_${host}_${id}`
    if (names === undefined) byNode.set(node.toLowerCase(), [name])
    else names.push(name)
  }
  return byNode
}

/** At most three, one of each host before a second one of any. */
function executorsOn(hosts: readonly string[], executors: Executors): string[] {
  const usable = hosts.filter((host) => host !== 'localhost' && !host.includes('_'))
  if (executors.size === 0) return usable.slice(0, MOST)
  const known = usable.map((host) => executors.get(host.toLowerCase()) ?? [])
  const found: string[] = []
  for (let round = 0; found.length < MOST && known.some((names) => names.length > round); round++)
    for (const names of known) if (names.length > round && found.length < MOST) found.push(names[round]!)
  return found
}

/** Block locations, where `named` says what hosts, best first, are called. */
function located(hints: readonly PathHint[], named: (hosts: readonly string[]) => string[]): object[] {
  const ofBlock = (hint: PathHint, { offset, length, hosts }: BlockHint) => {
    const holders = hint.cold ? bestHosts(hint, 1) : hosts.map(({ host }) => host)
    return { offset, length, locations: named(inOrderOf(hint, holders)) }
  }
  return hints.map((hint) => ({
    path: hint.path,
    length: hint.length,
    locations: named(bestHosts(hint, hint.hosts.length)),
    blocks: hint.blocks.map((block) => ofBlock(hint, block)),
  }))
}

export const spark: HintAdapter = {
  name: 'spark',
  summary: 'block locations for Spark, at most 3, best first, also as names of executors',
  adapt(hints, facts) {
    const executors = executorsOf(facts)
    return located(hints, (hosts) => executorsOn(hosts, executors))
  },
}

export const hadoop: HintAdapter = {
  name: 'hadoop',
  summary: 'block locations for getFileBlockLocations, at most 3, best first',
  adapt: (hints) => located(hints, (hosts) => hosts.slice(0, MOST)),
}

/** The holders of a block, those first that are best for the whole file. */
function inOrderOf({ hosts }: PathHint, holders: readonly string[]): string[] {
  const place = (host: string) => {
    const at = hosts.findIndex((ranked) => ranked.host === host)
    return at < 0 ? hosts.length : at
  }
  return [...holders].sort((a, b) => place(a) - place(b))
}

/** Confs of a job whose inputs are the paths; they decide how long it waits for its data and that Spark asks at all. */
export const sparkSubmit: HintAdapter = {
  name: 'spark-submit',
  summary: "confs for spark-submit: locality of a job's inputs, executors beside them",
  adapt(hints) {
    const inputs = hints.map(({ path }) => path).join(',')
    const held = hints.some(({ cold }) => !cold)
    const cold = hints.filter((hint) => hint.cold).map(({ path }) => path)
    return {
      'spark.locality.wait': held ? '3s' : '0s',
      // A task whose executor is not there yet runs anywhere, at once.
      'spark.scheduler.minRegisteredResourcesRatio': '1.0',
      // Partitions of one block read from one host.
      'spark.sql.files.maxPartitionBytes': String(partBytes(hints)),
      'spark.sql.sources.ignoreDataLocality': 'false',
      // Iceberg asks for block locations of hdfs:// only, unless it is told to.
      'spark.sql.iceberg.locality.enabled': 'true',
      // Read by our plug-in; without it nothing happens.
      ...(cold.length === 0 ? {} : { 'spark.alluxio.warm': cold.join(',') }),
      // Read by the admission webhook on Kubernetes; elsewhere without meaning.
      'spark.kubernetes.executor.annotation.alluxio.org/inputs': inputs,
      'spark.kubernetes.driver.annotation.alluxio.org/inputs': inputs,
    }
  },
  text(hints, facts) {
    const confs = sparkSubmit.adapt(hints, facts) as Record<string, string>
    return Object.entries(confs)
      .map(([key, value]) => `--conf ${quoted(`${key}=${value}`)}`)
      .join(' ')
  },
}

function partBytes(hints: readonly PathHint[]): number {
  let most = 0
  for (const { blocks } of hints) for (const { length } of blocks) most = Math.max(most, length)
  return most === 0 ? 128 * 2 ** 20 : most
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_.,:/=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
