/**
 * What kind of world a seed is: a pure function of the seed, printed as JSON with every failure. Each class of fault is off
 * in half of the worlds ("swarm testing", Groce et al., ISSTA 2012: leaving features out finds more); where it is on, its
 * rate is drawn anew. `null` stands for "off".
 */
import { Rng } from './kernel/rng.ts'

export interface SimOptions {
  readonly seed: number
  readonly clients: number
  readonly workers: number
  /** Operations of each client in the safety phase. */
  readonly opsPerClient: number
  /** Mean pause of a client between operations, milliseconds. */
  readonly thinkMs: number
  readonly blockSizeBytes: number
  readonly extentBytes: number
  /** Quota of each worker's tiers, bytes, fastest first; the first is MEM. */
  readonly tierBytes: readonly number[]
  readonly shortCircuit: boolean
  readonly network: NetworkOptions
  readonly storage: StorageOptions
  readonly ufs: UfsOptions
  readonly processes: ProcessOptions
}

export interface NetworkOptions {
  readonly delayMs: number
  /** Mean of the exponential part of the delay. */
  readonly jitterMs: number
  /** Mean time between breaks of some connection; what is on its way is lost. */
  readonly breakEveryMs: number | null
  /** Mean time between cuts of a link between two hosts, and how long they last. */
  readonly cutEveryMs: number | null
  readonly cutMs: number
  /** Share of cuts that stop one direction only. */
  readonly oneWay: number
}

export interface StorageOptions {
  /** Mean time that a metadata flush takes. */
  readonly flushMs: number
  /** Chance that a crash of a worker is one of its machine: MEM is lost, unsynced writes are torn; null: never. */
  readonly machineCrash: number | null
  /**
   * Chance that, while a worker is down, a bit of some block file of a durable tier turns over; null: never. (A block that a
   * running worker has verified is trusted until it is opened anew.)
   */
  readonly bitFlip: number | null
  /** Mean time that a call to a tier's disk takes. */
  readonly diskMs: number
  /** Chance that a worker comes back with another worker's disk or an empty one; null: never. */
  readonly wrongDisk: number | null
}

export interface UfsOptions {
  readonly delayMs: number
  /** Chance that a call fails with UNAVAILABLE; half of the failed writes took effect. */
  readonly failure: number | null
  /** Chance that a call takes `slowMs`. */
  readonly slow: number | null
  readonly slowMs: number
}

export interface ProcessOptions {
  readonly masterCrashEveryMs: number | null
  readonly workerCrashEveryMs: number | null
  readonly clientCrashEveryMs: number | null
  /** Mean time that a crashed process stays away. */
  readonly downMs: number
  /** Mean time between pauses of a random process, and their mean length. */
  readonly pauseEveryMs: number | null
  readonly pauseMs: number
  readonly clockSkewMs: number
}

export interface OptionOverrides {
  readonly ops?: number
}

export function optionsOf(seed: number, overrides: OptionOverrides = {}): SimOptions {
  const rng = new Rng(seed, 'options')
  /** Off with one half; the draw is made either way so that later options do not shift. */
  const maybe = (value: number): number | null => (rng.chance(0.5) ? value : null)
  const workers = rng.int(1, 3)
  const tiers = rng.int(1, 2)
  const roomy = rng.chance(0.7)
  const blockSizeBytes = rng.pick([4096, 8192, 16384, 65536, 262_144])
  const quota = roomy ? 64 * 2 ** 20 : blockSizeBytes * rng.int(12, 40)
  return {
    seed,
    clients: rng.int(2, 4),
    workers,
    opsPerClient: overrides.ops ?? rng.int(20, 80),
    thinkMs: rng.pick([1, 10, 50, 200]),
    blockSizeBytes,
    extentBytes: rng.pick([65536, 131_072]),
    tierBytes: Array.from({ length: tiers }, () => quota),
    shortCircuit: rng.chance(0.5),
    network: {
      delayMs: rng.between(0.05, 2),
      jitterMs: maybe(rng.between(0.1, 20)) ?? 0,
      breakEveryMs: maybe(rng.between(100, 5000)),
      cutEveryMs: maybe(rng.between(500, 10_000)),
      cutMs: rng.between(20, 4000),
      oneWay: rng.unit(),
    },
    storage: {
      flushMs: rng.between(0.1, 30),
      machineCrash: maybe(rng.between(0.1, 1)),
      bitFlip: maybe(rng.between(0.2, 1)),
      diskMs: rng.between(0.01, 5),
      wrongDisk: maybe(rng.between(0.05, 0.3)),
    },
    ufs: {
      delayMs: rng.between(0.1, 30),
      failure: maybe(rng.between(0.01, 0.2)),
      slow: maybe(rng.between(0.01, 0.1)),
      slowMs: rng.between(200, 8000),
    },
    processes: {
      masterCrashEveryMs: maybe(rng.between(500, 15_000)),
      workerCrashEveryMs: maybe(rng.between(500, 15_000)),
      clientCrashEveryMs: maybe(rng.between(1000, 20_000)),
      downMs: rng.between(20, 3000),
      pauseEveryMs: maybe(rng.between(500, 10_000)),
      pauseMs: rng.between(10, 1500),
      clockSkewMs: maybe(rng.between(1, 500)) ?? 0,
    },
  }
}
