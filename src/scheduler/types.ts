/** The words of hints: what schedulers ask and what they are told. */
import type { FileId, WorkerId } from '../core/index.ts'

export const TIER_NAMES = ['MEM', 'SSD', 'HDD'] as const
export type TierName = (typeof TIER_NAMES)[number]

/** A host that holds a block. */
export interface BlockHost {
  readonly host: string
  readonly tier: TierName
  /** Age of what the host's worker said last, ms. */
  readonly freshMs: number
}

export interface BlockHint {
  /** Offset in the file and length of the part that was asked for, bytes. */
  readonly offset: number
  readonly length: number
  /** Fastest first; empty: nobody holds it. */
  readonly hosts: readonly BlockHost[]
}

export interface HostHint {
  readonly host: string
  /** Above 0, at most 1: time to read all of it from memory here, over the time that it takes now. */
  readonly score: number
  /** What this host holds of it, each block on its fastest tier here. */
  readonly bytes: Readonly<Record<TierName, number>>
  /** Reads and writes that are open on its workers. */
  readonly load: number
  /** 1 for what was heard right now, down to 0 at the timeout of a worker; half while the worker registers anew. */
  readonly confidence: number
  readonly reason: string
}

export interface PathHint {
  readonly path: string
  /** Of the file, or of all files below the directory, bytes. */
  readonly length: number
  /** Nothing of it is cached: then the first host is the place where it should go. */
  readonly cold: boolean
  readonly blocks: readonly BlockHint[]
  /** Best first. */
  readonly hosts: readonly HostHint[]
}

/** Where a split was put, and how well. */
export type Placement = 'LOCAL' | 'COLD' | 'OVERFLOW' | 'NONE'

export interface Assignment {
  readonly path: string
  readonly offset: number
  readonly length: number
  /** '' when all hosts are full. */
  readonly host: string
  /** LOCAL: the host holds (most of) it. COLD: nobody does. OVERFLOW: who holds it is full. NONE: all are full. */
  readonly placement: Placement
  /** Bytes of it that the host holds. */
  readonly localBytes: number
  /** Others that hold it, best first, at most two. */
  readonly alternates: readonly string[]
  /** Longer than this, ms, it does not pay to wait for the host. */
  readonly waitMs: number
}

export interface Plan {
  readonly splits: readonly Assignment[]
  /** How many are LOCAL: as many as can be. */
  readonly local: number
  readonly hosts: readonly { readonly host: string; readonly splits: number; readonly bytes: number }[]
}

/** Metadata of a file that the engine needs. */
export interface HintedFile {
  readonly path: string
  readonly fileId: FileId
  readonly length: number
  readonly blockSizeBytes: number
}

/** A part of a file. */
export interface Split {
  readonly file: HintedFile
  readonly offset: number
  readonly length: number
}

/** A worker as its last words made it known. */
export interface WorkerFact {
  readonly address: { readonly id: WorkerId; readonly host: string; readonly uuid: string }
  readonly state: 'LIVE' | 'LOST'
  readonly tiers: readonly { readonly alias: string }[]
  readonly load: number
  readonly heardMonotonicMs: number
  readonly registering: boolean
  /** Other names and addresses of its host. */
  readonly names: readonly string[]
}

export interface WorkerFacts {
  /** Grows when a worker comes or goes. */
  readonly version: number
  all(): Iterable<WorkerFact>
}
