/** Answers of the hint engine under the permissions of who asks (contract `hints`). */
import { blockCount, type Runtime } from '../../../../core/index.ts'
import type { BlockMap, Caller, Settled } from '../../../../namespace/index.ts'
import type {
  AssignRequest,
  Call,
  DownloadItem,
  Handlers,
  HintRange,
  HintRequest,
  HintsContract,
  Infer,
} from '../../../../rpc/index.ts'
import type { Answer, Hints, PathHint, Plan, Question, Split } from '../../../../scheduler/index.ts'
import type { Callers } from '../callers.ts'
import { BlockCount, tooMuch } from './bounds.ts'
import type { Changes } from './changes.ts'
import type { Doubts } from './doubts.ts'
import { PackedAnswers } from './packed-answers.ts'
import type { Questions } from './questions.ts'

type Service = Handlers<typeof HintsContract>

export interface HintServiceModules {
  readonly hints: Hints
  readonly questions: Questions
  readonly changes: Changes
  readonly doubts: Doubts
  readonly blocks: BlockMap
  readonly callers: Callers
  readonly runtime: Runtime
}

const MAX_SPLITS = 1_000_000
const SPLITS_A_PAGE = 5000
/** Others have their turn after so long, ms; the clock is looked at after so many answers. */
const TURN_MS = 2
const LOOK_EVERY = 16
const NO_RANGES: Infer<typeof HintRange>[] = []

/** Takes answers, each good until the next one. */
export interface AnswerSink {
  take(answer: Answer): void
}

type Page = Infer<(typeof HintsContract)['methods']['assign']['item']>
/** The schema's types are not read-only. */
type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T

export class HintService implements Service {
  readonly #m: HintServiceModules

  constructor(modules: HintServiceModules) {
    this.#m = modules
  }

  readonly locate: Service['locate'] = (request, call) => {
    const { epoch, sequence } = this.#m.changes
    const packed = new PackedAnswers(countOf(request))
    return whenSettled(this.each(request, this.#caller(call), packed), () => ({
      // In the form that the contract gives to the array.
      answers: packed.end() as unknown as PathHint[] as Mutable<PathHint>[],
      epoch,
      sequence,
    }))
  }

  readonly rank: Service['rank'] = this.locate

  readonly assign: Service['assign'] = (request, call) => this.#pages(request, this.#caller(call))

  async *#pages(request: Infer<typeof AssignRequest>, caller: Caller): AsyncGenerator<DownloadItem<Page>> {
    // Before the answer: what changes meanwhile is told again.
    const { epoch, sequence } = this.#m.changes
    const { splits, local, hosts } = await this.plan(request, caller)
    for (let at = 0; at === 0 || at < splits.length; at += SPLITS_A_PAGE) {
      const page = splits.slice(at, at + SPLITS_A_PAGE) as Page['splits']
      const totals = at === 0 ? { local, hosts: [...hosts] } : {}
      yield { item: { splits: page, ...totals, epoch, sequence } }
    }
  }

  readonly subscribe: Service['subscribe'] = ({ paths }, call) =>
    this.#m.changes.below(paths, this.#caller(call), call.signal)

  readonly doubt: Service['doubt'] = async ({ doubts }, call) => {
    await this.#m.doubts.report(doubts, this.#caller(call))
    return {}
  }

  readonly snapshot: Service['snapshot'] = (_, call) => this.#m.changes.snapshot(call.signal)

  /** @throws as `each` */
  answer(request: Infer<typeof HintRequest>, caller: Caller): Settled<PathHint[]> {
    const hints: PathHint[] = []
    return whenSettled(
      this.each(request, caller, { take: (answer) => hints.push(answer.toHint()) }),
      () => hints,
    )
  }

  /**
   * Hands out the answers one by one. What is in memory and soon done is done when this returns; long requests let others have
   * their turn.
   * @throws as `Questions.at`; INVALID_ARGUMENT for candidates; RESOURCE_EXHAUSTED for more blocks than an answer can tell
   */
  each(request: Infer<typeof HintRequest>, caller: Caller, into: AnswerSink): Settled<void> {
    const { hints, questions, runtime } = this.#m
    const { paths, ranges = NO_RANGES } = request
    const total = countOf(request)
    const nowMs = runtime.monotonic()
    const asked = hints.begin(request, nowMs)
    const count = new BlockCount(request.blocks)
    for (let i = 0; i < total; i++) {
      const question = questions.at(i, paths, ranges, caller)
      if (question instanceof Promise) return this.#rest(request, caller, into, count, i, question)
      count.add(question)
      into.take(hints.answerTo(question, asked))
      if (i % LOOK_EVERY === LOOK_EVERY - 1 && runtime.monotonic() - nowMs > TURN_MS)
        return this.#rest(request, caller, into, count, i + 1, undefined)
    }
  }

  async #rest(
    request: Infer<typeof HintRequest>,
    caller: Caller,
    into: AnswerSink,
    count: BlockCount,
    from: number,
    first: Promise<Question> | undefined,
  ): Promise<void> {
    const { hints, questions, runtime } = this.#m
    const { paths, ranges = NO_RANGES } = request
    const total = countOf(request)
    let next: Settled<Question> | undefined = first
    for (let i = from; i < total; ) {
      if (next instanceof Promise) next = await next
      else await new Promise<void>((resolve) => runtime.defer(resolve))
      const nowMs = runtime.monotonic()
      const asked = hints.begin(request, nowMs)
      for (let done = 1; i < total; done++) {
        next ??= questions.at(i, paths, ranges, caller)
        if (next instanceof Promise) break
        count.add(next)
        into.take(hints.answerTo(next, asked))
        next = undefined
        i++
        if (done % LOOK_EVERY === 0 && runtime.monotonic() - nowMs > TURN_MS) break
      }
    }
  }

  /** @throws as `Questions.of`; INVALID_ARGUMENT when there is no host */
  plan(request: Infer<typeof AssignRequest>, caller: Caller): Promise<Plan> {
    const { hints, questions, runtime } = this.#m
    const { paths = [], splits = [], hosts, slack } = request
    return questions.of(paths, splits, caller).then((asked) => {
      const whole = asked.slice(0, paths.length).flatMap(({ parts }) => parts.flatMap(byBlock))
      const parts = [...whole, ...asked.slice(paths.length).flatMap((question) => question.parts)]
      if (parts.length > MAX_SPLITS) throw tooMuch(`${parts.length} splits`, `${MAX_SPLITS} splits`)
      const where = { ...(hosts === undefined ? {} : { hosts }), ...(slack === undefined ? {} : { slack }) }
      return hints.assign(parts, where, runtime.monotonic())
    })
  }

  #caller(call: Call): Caller {
    return this.#m.callers.of(call.peer.user)
  }
}

function byBlock({ file, offset, length }: Split): Split[] {
  const { blockSizeBytes } = file
  return Array.from({ length: blockCount(length, blockSizeBytes) }, (_, i) => ({
    file,
    offset: offset + i * blockSizeBytes,
    length: Math.min(blockSizeBytes, length - i * blockSizeBytes),
  }))
}

function countOf({ paths, ranges = NO_RANGES }: Infer<typeof HintRequest>): number {
  return paths.length + ranges.length
}

export function whenSettled<T, R>(settled: Settled<T>, then: (value: T) => R): Settled<Awaited<R>> {
  return (settled instanceof Promise ? settled.then(then) : then(settled)) as Settled<Awaited<R>>
}
