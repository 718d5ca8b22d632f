/**
 * Which worker takes a new block or fetches one that nobody caches: the seven policies of upstream 2.9 as pure
 * functions. A policy ranks all candidates, so that a caller whose first choice fails goes on with the next one.
 */
import { memberHash, type Runtime, rendezvousScore } from '../core/index.ts'
import type { LocationPolicy } from '../core/options/index.ts'

/** A live worker as a policy sees it. */
export interface Candidate {
  readonly id: number
  readonly host: string
  readonly uuid: string
  /** On the caller's host. */
  readonly local: boolean
  readonly capacityBytes: number
  readonly usedBytes: number
}

export interface Choice {
  /** What is placed: rendezvous hashing sends equal keys to equal workers. */
  readonly key: number
  /** Bytes that the worker has to find room for. */
  readonly sizeBytes: number
  /** The host of SpecificHost. */
  readonly host?: string
}

type Rank = <C extends Candidate>(workers: readonly C[], choice: Choice) => readonly C[]

/** The ranking function of a policy. It keeps what little state the policy has (the turn of RoundRobin). */
export function rankingOf(
  policy: LocationPolicy,
  modules: { readonly runtime: Pick<Runtime, 'random'> },
): Rank {
  const ranking = RANKINGS[policy](modules.runtime)
  // Most clusters of a test or a laptop have one worker: nothing to rank, except that SpecificHost may exclude it.
  return policy === 'SpecificHost'
    ? ranking
    : (workers, choice) => (workers.length < 2 ? workers : ranking(workers, choice))
}

const RANKINGS: Readonly<Record<LocationPolicy, (random: Pick<Runtime, 'random'>) => Rank>> = {
  LocalFirst:
    (random) =>
    (workers, { sizeBytes }) =>
      shuffled(workers, random).sort((a, b) => classOf(a, sizeBytes) - classOf(b, sizeBytes)),
  LocalFirstAvoidEviction:
    (random) =>
    (workers, { sizeBytes }) =>
      shuffled(workers, random).sort(
        (a, b) =>
          Number(freeBytes(b) >= sizeBytes) - Number(freeBytes(a) >= sizeBytes) ||
          Number(b.local) - Number(a.local),
      ),
  MostAvailableFirst: () => (workers) => [...workers].sort((a, b) => freeBytes(b) - freeBytes(a)),
  RoundRobin() {
    let turn = 0
    return (workers) => {
      const start = turn++ % workers.length
      return [...workers.slice(start), ...workers.slice(0, start)]
    }
  },
  SpecificHost:
    () =>
    (workers, { host }) =>
      workers.filter((worker) => worker.host === host),
  DeterministicHash:
    () =>
    (workers, { key }) =>
      byScore(workers, (worker) => rendezvousScore(key, memberHash(worker.uuid))),
  // Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): order by u^(1/weight).
  CapacityBaseRandom: (random) => (workers) =>
    byScore(workers, (worker) =>
      worker.capacityBytes > 0 ? random.random() ** (1 / (worker.capacityBytes / 2 ** 30)) : -1,
    ),
}

export function freeBytes(worker: Candidate): number {
  return worker.capacityBytes - worker.usedBytes
}

/** LocalFirst: a local worker that can hold the block at all, then the others, then local ones that are too small. */
function classOf(worker: Candidate, sizeBytes: number): number {
  if (worker.capacityBytes < sizeBytes) return 2
  return worker.local ? 0 : 1
}

function byScore<C extends Candidate>(workers: readonly C[], score: (worker: C) => number): C[] {
  return workers
    .map((worker) => ({ worker, score: score(worker) }))
    .sort((a, b) => b.score - a.score || (a.worker.uuid < b.worker.uuid ? -1 : 1))
    .map(({ worker }) => worker)
}

/** Fisher-Yates. */
function shuffled<C>(workers: readonly C[], random: Pick<Runtime, 'random'>): C[] {
  const copy = [...workers]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random.random() * (i + 1))
    const moved = copy[i]!
    copy[i] = copy[j]!
    copy[j] = moved
  }
  return copy
}
