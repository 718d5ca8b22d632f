/** Answers: who holds the blocks of files, and which hosts are best to read them on. */
import { formatBytes } from '../core/index.ts'
import type { BlockMap } from '../namespace/index.ts'
import { Assigner, type SplitRequest } from './assigner.ts'
import type { HostAliases } from './host-aliases.ts'
import { type Candidate, type Host, Hosts } from './hosts.ts'
import type { Rates } from './rates.ts'
import { StablePlaces } from './stable-places.ts'
import { placeKey, Tally } from './tally.ts'
import {
  type BlockHint,
  type HostHint,
  type PathHint,
  type Plan,
  type Split,
  TIER_NAMES,
  type WorkerFacts,
} from './types.ts'

export interface HintsOptions {
  /** A worker that was not heard of for so long is not named, ms. */
  readonly timeoutMs: number
  readonly rates: Rates
}

export interface HintsModules {
  readonly blocks: BlockMap
  readonly workers: WorkerFacts
  readonly aliases: HostAliases
}

export interface Query {
  /** Hosts to choose from; absent: those that hold something. */
  readonly candidates?: readonly string[]
  /** Most hosts an answer. @default 10, or all candidates */
  readonly top?: number
  /** Whether each block is told as well. @default true */
  readonly blocks?: boolean
}

/** What one path means: parts of one file, or all files below a directory. */
export interface Question {
  readonly path: string
  /** Of the file or of all files together, bytes. */
  readonly length: number
  readonly parts: readonly Split[]
}

/** What the questions of one request share. */
interface Asked {
  readonly query: Query
  readonly candidates: readonly Candidate[] | undefined
  readonly nowMs: number
  places: StablePlaces | undefined
}

interface Ranked {
  readonly name: string
  readonly host: Host | undefined
  readonly seconds: number
  /** Of what was asked for; -1 where no worker is. */
  readonly bytes: number
}

const TOP = 10
/** Hosts that are named for what nobody holds. */
const COLD_PLACES = 3

export class Hints {
  readonly hosts: Hosts
  readonly #rates: Rates
  readonly #tally: Tally
  readonly #assigner: Assigner
  /** Of the answer at hand, best first. */
  readonly #best: Ranked[] = []
  /** Those of all hosts, until one of them comes, goes or falls silent. */
  #places: { readonly of: StablePlaces; readonly generation: number } | undefined

  constructor({ timeoutMs, rates }: HintsOptions, { blocks, workers, aliases }: HintsModules) {
    this.#rates = rates
    this.hosts = new Hosts({ timeoutMs }, { blocks, workers, aliases })
    this.#tally = new Tally(rates, { blocks, hosts: this.hosts })
    this.#assigner = new Assigner({ hosts: this.hosts, tally: this.#tally })
  }

  /** @throws INVALID_ARGUMENT, reason ALIAS_COLLISION, for a candidate whose name several hosts claim */
  answer(questions: readonly Question[], query: Query, nowMs: number): PathHint[] {
    this.hosts.refresh(nowMs)
    const candidates = query.candidates === undefined ? undefined : this.hosts.candidates(query.candidates)
    const asked: Asked = { query, candidates, nowMs, places: undefined }
    return questions.map((question) => this.#answerOne(question, asked))
  }

  /** @throws as `answer`; INVALID_ARGUMENT when no host is there */
  assign(splits: readonly Split[], request: SplitRequest, nowMs: number): Plan {
    this.hosts.refresh(nowMs)
    return this.#assigner.plan(splits, request, nowMs)
  }

  #answerOne(question: Question, asked: Asked): PathHint {
    const tally = this.#tally
    const { path, length, parts } = question
    const { query, nowMs } = asked
    const blocks: BlockHint[] = []
    tally.begin()
    for (const { file, offset, length: part } of parts)
      tally.add(file, offset, offset + part, nowMs, query.blocks === false ? undefined : blocks)
    const cold = tally.touchedCount === 0
    const [first] = parts
    const hosts = cold && first !== undefined ? this.#cold(first, asked) : this.#ranked(asked)
    return { path, length, cold, blocks, hosts }
  }

  #ranked({ query, candidates, nowMs }: Asked): HostHint[] {
    const { hosts } = this
    const tally = this.#tally
    const { top = candidates?.length ?? TOP } = query
    if (candidates === undefined) {
      for (let i = 0; i < tally.touchedCount; i++) {
        const index = tally.touched[i]!
        const seconds = tally.secondsOn(index, hosts.slowdownOf(index))
        if (!this.#isBeaten(seconds, top)) this.#enter(hosts.all[index]!.name, hosts.all[index], seconds, top)
      }
    } else {
      for (const { name, host } of candidates) {
        const seconds =
          host === undefined
            ? tally.secondsOn(-1, 1)
            : tally.secondsOn(host.index, hosts.slowdownOf(host.index))
        if (!this.#isBeaten(seconds, top)) this.#enter(name, host, seconds, top)
      }
    }
    return this.#best.splice(0).map(({ name, host, seconds }) => this.#hint(name, host, seconds, nowMs))
  }

  #isBeaten(seconds: number, top: number): boolean {
    const best = this.#best
    return best.length === top && (top === 0 || seconds > best[top - 1]!.seconds)
  }

  /** Puts a host in its place among the best ones. */
  #enter(name: string, host: Host | undefined, seconds: number, top: number): void {
    const best = this.#best
    const ranked = {
      name,
      host,
      seconds,
      bytes: host === undefined ? -1 : this.#tally.localBytes(host.index),
    }
    let at = best.length
    while (at > 0 && isBetter(ranked, best[at - 1]!)) at--
    best.splice(at, 0, ranked)
    if (best.length > top) best.pop()
  }

  /** The stable place and those after it, then the candidates where no worker lives. */
  #cold({ file, offset }: Split, asked: Asked): HostHint[] {
    const { query, candidates, nowMs } = asked
    const seconds = this.#tally.secondsOn(-1, 1)
    const { top: count = candidates?.length ?? COLD_PLACES } = query
    const names = new Map(candidates?.map(({ name, host }) => [host, name]))
    const places = this.#placesOf(placeKey(file, offset), count, asked)
    const hints = places.map((host, i) => ({
      ...this.#hint(names.get(host) ?? host.name, host, seconds, nowMs),
      reason:
        i === 0 ? 'nothing is cached: its stable place' : `nothing is cached: number ${i + 1} for its place`,
    }))
    for (const { name, host } of candidates ?? []) {
      if (hints.length >= count) break
      if (host === undefined || !places.includes(host)) hints.push(this.#hint(name, host, seconds, nowMs))
    }
    return hints
  }

  #placesOf(key: number, count: number, asked: Asked): Host[] {
    const { hosts } = this
    const { candidates, nowMs } = asked
    if (candidates !== undefined) {
      asked.places ??= new StablePlaces(
        hosts,
        nowMs,
        candidates.map(({ host }) => host),
      )
      return asked.places.of(key, count)
    }
    const known = this.#places?.generation === hosts.generation ? this.#places.of.of(key, count) : undefined
    if (known?.every((host) => hosts.isHostLive(host, nowMs)) === true) return known
    this.#places = { of: new StablePlaces(hosts, nowMs), generation: hosts.generation }
    return this.#places.of.of(key, count)
  }

  #hint(name: string, host: Host | undefined, seconds: number, nowMs: number): HostHint {
    const { hosts } = this
    const tally = this.#tally
    const index = host?.index ?? -1
    const bytes = { MEM: 0, SSD: 0, HDD: 0 }
    for (const [c, tier] of TIER_NAMES.entries()) if (index >= 0) bytes[tier] = tally.bytesOf(index, c)
    const best = tally.length / this.#rates.tiers[0]
    const load = host === undefined ? 0 : hosts.load(host, nowMs)
    return {
      host: name,
      score: seconds > 0 ? rounded(best / seconds, 6) : 1,
      bytes,
      load,
      confidence: host === undefined ? 0 : rounded(hosts.confidence(host, nowMs), 3),
      reason: this.#reason(host, bytes, load, nowMs),
    }
  }

  #reason(host: Host | undefined, bytes: HostHint['bytes'], load: number, nowMs: number): string {
    const { hosts } = this
    const tally = this.#tally
    if (host === undefined) return 'no live worker is known under this name'
    if (!hosts.isHostLive(host, nowMs)) return 'its workers have not been heard of'
    const held = TIER_NAMES.filter((tier) => bytes[tier] > 0)
    const busy = load === 0 ? '' : `, ${load} open streams`
    if (held.length === 0)
      return `holds nothing of it; ${formatBytes(tally.cachedBytes)} are on other hosts${busy}`
    const what = held.map((tier) => `${formatBytes(bytes[tier])} in ${tier}`).join(' and ')
    return `holds ${what} of ${formatBytes(tally.length)}, heard ${Math.round(hosts.ageMs(host, nowMs))} ms ago${busy}`
  }
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}

function isBetter(a: Ranked, b: Ranked): boolean {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds
  if (a.bytes !== b.bytes) return a.bytes > b.bytes
  return a.name < b.name
}
