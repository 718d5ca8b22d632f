/** Answers: who holds the blocks of files, and which hosts are best to read them on. */
import { formatBytes } from '../core/index.ts'
import type { BlockMap } from '../namespace/index.ts'
import { Answer } from './answer.ts'
import { Assigner, type SplitRequest } from './assigner.ts'
import { Candidates } from './candidates.ts'
import type { HostAliases } from './host-aliases.ts'
import { type Candidate, type Host, Hosts } from './hosts.ts'
import type { Rates } from './rates.ts'
import { StablePlaces } from './stable-places.ts'
import { placeKey, Tally } from './tally.ts'
import { type PathHint, type Plan, type Split, TIER_NAMES, type WorkerFacts } from './types.ts'

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

/** What the questions of one request share, until time passes or hosts come and go. */
export interface Asked {
  readonly query: Query
  readonly candidates: Candidates | undefined
  readonly nowMs: number
  places: StablePlaces | undefined
}

const TOP = 10
/** Hosts that are named for what nobody holds. */
const COLD_PLACES = 3
/** Texts of sizes that are kept. */
const SIZES = 10_000

export class Hints {
  readonly hosts: Hosts
  readonly #rates: Rates
  readonly #tally: Tally
  readonly #assigner: Assigner
  readonly #answer: Answer
  /** Of the answer at hand, best first: index of the host or, if candidates were given, of the candidate. */
  #best = new Int32Array(TOP + 1)
  #seconds = new Float64Array(TOP + 1)
  #bestCount = 0
  /** Those of all hosts, until one of them comes, goes or falls silent. */
  #places: { readonly of: StablePlaces; readonly generation: number } | undefined
  readonly #sizes = new Map<number, string>()
  /** Of the last question that had any. */
  #candidates: Candidates | undefined

  constructor({ timeoutMs, rates }: HintsOptions, { blocks, workers, aliases }: HintsModules) {
    this.#rates = rates
    this.hosts = new Hosts({ timeoutMs }, { blocks, workers, aliases })
    this.#tally = new Tally(rates, { blocks, hosts: this.hosts })
    this.#assigner = new Assigner({ hosts: this.hosts, tally: this.#tally })
    this.#answer = new Answer(this.hosts)
  }

  /** @throws INVALID_ARGUMENT, reason ALIAS_COLLISION, for a candidate whose name several hosts claim */
  answer(questions: readonly Question[], query: Query, nowMs: number): PathHint[] {
    const asked = this.begin(query, nowMs)
    return questions.map((question) => this.answerTo(question, asked).toHint())
  }

  /** To be called before `answerTo`, and again after others had their turn. @throws as `answer` */
  begin(query: Query, nowMs: number): Asked {
    this.hosts.refresh(nowMs)
    return { query, candidates: this.#candidatesOf(query.candidates), nowMs, places: undefined }
  }

  #candidatesOf(names: readonly string[] | undefined): Candidates | undefined {
    if (names === undefined) return undefined
    if (this.#candidates?.areOf(names, this.hosts) !== true)
      this.#candidates = new Candidates(names, this.hosts)
    return this.#candidates
  }

  /** The answer is good until the next one. */
  answerTo({ path, length, parts }: Question, asked: Asked): Answer {
    const { query, nowMs } = asked
    const tally = this.#tally
    const answer = this.#answer
    const blocks = query.blocks === false ? undefined : answer.blocks
    answer.path = path
    answer.length = length
    answer.blocks.clear()
    answer.hosts.count = 0
    tally.begin()
    for (let i = 0; i < parts.length; i++) {
      const { file, offset, length: part } = parts[i]!
      tally.add(file, offset, offset + part, nowMs, blocks)
    }
    answer.cold = tally.touchedCount === 0
    const [first] = parts
    if (answer.cold && first !== undefined) this.#cold(first, asked)
    else this.#ranked(asked)
    return answer
  }

  /** @throws as `answer`; INVALID_ARGUMENT when no host is there */
  assign(splits: readonly Split[], request: SplitRequest, nowMs: number): Plan {
    this.hosts.refresh(nowMs)
    return this.#assigner.plan(splits, request, nowMs)
  }

  #ranked({ query, candidates, nowMs }: Asked): void {
    const { hosts } = this
    const tally = this.#tally
    const { top = candidates?.all.length ?? TOP } = query
    if (this.#best.length <= top) {
      this.#best = new Int32Array(top + 1)
      this.#seconds = new Float64Array(top + 1)
    }
    this.#bestCount = 0
    const { touched, touchedCount } = tally
    for (let i = 0; i < touchedCount; i++) {
      const host = touched[i]!
      const which = candidates === undefined ? host : candidates.ofHost[host]!
      if (which >= 0) this.#enter(which, tally.secondsOn(host, hosts.slowdownOf(host)), top, candidates)
    }
    if (candidates !== undefined) this.#enterRest(candidates, top)
    for (let i = 0; i < this.#bestCount; i++) {
      const at = this.#best[i]!
      const seconds = this.#seconds[i]!
      if (candidates === undefined) {
        const host = hosts.all[at]!
        this.#tell(host.name, host, seconds, nowMs)
      } else this.#tell(candidates.all[at]!.name, candidates.all[at]!.host, seconds, nowMs)
    }
  }

  /** Candidates that hold nothing: all take the same time, so that those in front are enough. */
  #enterRest(candidates: Candidates, top: number): void {
    const { all, inOrder } = candidates
    const tally = this.#tally
    const seconds = tally.secondsElsewhere
    for (let i = 0, entered = 0; i < inOrder.length && entered < top; i++) {
      const { host } = all[inOrder[i]!]!
      if (host !== undefined && tally.localBytes(host.index) > 0) continue
      if (this.#bestCount === top && (top === 0 || seconds > this.#seconds[top - 1]!)) return
      this.#enter(inOrder[i]!, seconds, top, candidates)
      entered++
    }
  }

  /** Puts a host, or candidate, in its place among the best ones. */
  #enter(which: number, seconds: number, top: number, candidates: Asked['candidates']): void {
    const best = this.#best
    const times = this.#seconds
    let at = this.#bestCount
    if (at === top && (top === 0 || seconds > times[top - 1]!)) return
    while (
      at > 0 &&
      (seconds < times[at - 1]! ||
        (seconds === times[at - 1] && this.#isBefore(which, best[at - 1]!, candidates)))
    ) {
      best[at] = best[at - 1]!
      times[at] = times[at - 1]!
      at--
    }
    best[at] = which
    times[at] = seconds
    if (this.#bestCount < top) this.#bestCount++
  }

  /** Of two that take the same time: whose own bytes are more, then by name. */
  #isBefore(a: number, b: number, candidates: Asked['candidates']): boolean {
    const tally = this.#tally
    // Hosts are sorted by name.
    if (candidates === undefined) return (tally.localBytes(a) - tally.localBytes(b) || b - a) > 0
    const one = candidates.all[a]!
    const other = candidates.all[b]!
    const bytes = ({ host }: Candidate) => (host === undefined ? -1 : tally.localBytes(host.index))
    const more = bytes(one) - bytes(other)
    return more === 0 ? one.name < other.name : more > 0
  }

  /** The stable place and those after it, then the candidates where no worker lives. */
  #cold({ file, offset }: Split, asked: Asked): void {
    const { query, candidates, nowMs } = asked
    const { hosts } = this.#answer
    const seconds = this.#tally.secondsElsewhere
    const { top: count = candidates?.all.length ?? COLD_PLACES } = query
    const names = new Map(candidates?.all.map(({ name, host }) => [host, name]))
    const places = this.#placesOf(placeKey(file, offset), count, asked)
    for (const [i, host] of places.entries()) {
      this.#tell(names.get(host) ?? host.name, host, seconds, nowMs)
      hosts.reason[i] =
        i === 0 ? 'nothing is cached: its stable place' : `nothing is cached: number ${i + 1} for its place`
    }
    for (const { name, host } of candidates?.all ?? []) {
      if (hosts.count >= count) break
      if (host === undefined || !places.includes(host)) this.#tell(name, host, seconds, nowMs)
    }
  }

  #placesOf(key: number, count: number, asked: Asked): Host[] {
    const { hosts } = this
    const { candidates, nowMs } = asked
    if (candidates !== undefined) {
      asked.places ??= new StablePlaces(
        hosts,
        nowMs,
        candidates.all.map(({ host }) => host),
      )
      return asked.places.of(key, count)
    }
    const known = this.#places?.generation === hosts.generation ? this.#places.of.of(key, count) : undefined
    if (known?.every((host) => hosts.isHostLive(host, nowMs)) === true) return known
    this.#places = { of: new StablePlaces(hosts, nowMs), generation: hosts.generation }
    return this.#places.of.of(key, count)
  }

  /** Appends a host to the answer. */
  #tell(name: string, host: Host | undefined, seconds: number, nowMs: number): void {
    const { hosts } = this
    const tally = this.#tally
    const rows = this.#answer.hosts
    const i = rows.count++
    const best = tally.length / this.#rates.tiers[0]
    for (let c = 0; c < TIER_NAMES.length; c++)
      rows.bytes[TIER_NAMES.length * i + c] = host === undefined ? 0 : tally.bytesOf(host.index, c)
    rows.name[i] = name
    rows.score[i] = seconds > 0 ? Math.round((best / seconds) * 1e6) / 1e6 : 1
    rows.load[i] = host === undefined ? 0 : hosts.loadOf(host.index)
    rows.confidence[i] =
      host === undefined ? 0 : Math.round(hosts.confidenceOf(host.index, nowMs) * 1000) / 1000
    rows.reason[i] = this.#reason(i, host, nowMs)
  }

  #reason(i: number, host: Host | undefined, nowMs: number): string {
    const { hosts } = this
    const tally = this.#tally
    const { bytes, load } = this.#answer.hosts
    if (host === undefined) return 'no live worker is known under this name'
    if (!hosts.isHostLive(host, nowMs)) return 'its workers have not been heard of'
    const busy = load[i] === 0 ? '' : `, ${load[i]} open streams`
    let held = ''
    for (let c = 0; c < TIER_NAMES.length; c++) {
      const size = bytes[TIER_NAMES.length * i + c]!
      if (size > 0) held += `${held === '' ? '' : ' and '}${this.#size(size)} in ${TIER_NAMES[c]}`
    }
    if (held === '') return `holds nothing of it; ${this.#size(tally.cachedBytes)} are on other hosts${busy}`
    return `holds ${held} of ${this.#size(tally.length)}, heard ${Math.round(hosts.ageOf(host.index, nowMs))} ms ago${busy}`
  }

  /** As `formatBytes`: most sizes are multiples of a few blocks. */
  #size(bytes: number): string {
    let text = this.#sizes.get(bytes)
    if (text === undefined) {
      if (this.#sizes.size >= SIZES) this.#sizes.clear()
      text = formatBytes(bytes)
      this.#sizes.set(bytes, text)
    }
    return text
  }
}
