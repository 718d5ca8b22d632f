/** Answers of the hint engine under the permissions of who asks (contract `hints`). */
import { AlluxioError, blockCount, type Runtime } from '../../../../core/index.ts'
import type { BlockMap, Caller, Settled } from '../../../../namespace/index.ts'
import type {
  AssignRequest,
  Call,
  DownloadItem,
  Handlers,
  HintRequest,
  HintsContract,
  Infer,
} from '../../../../rpc/index.ts'
import type { Hints, PathHint, Plan, Question, Split } from '../../../../scheduler/index.ts'
import type { Callers } from '../callers.ts'
import type { Changes } from './changes.ts'
import type { Doubts } from './doubts.ts'
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

/** Blocks that one answer tells. */
const MAX_BLOCKS = 200_000
const MAX_SPLITS = 1_000_000
const SPLITS_A_PAGE = 5000
/** Of one answer over RPC, whose messages are bounded. */
const MAX_ANSWER_BYTES = 3.5 * 2 ** 20
/** About what a host and a block with its holders take. */
const HOST_BYTES = 250
const BLOCK_BYTES = 30
const HOLDER_BYTES = 30

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
    return whenSettled(this.answer(request, this.#caller(call)), (answers) => {
      checkSize(answers)
      return { answers: answers as Mutable<PathHint>[], epoch, sequence }
    })
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

  /** @throws as `Questions.of`; RESOURCE_EXHAUSTED for more blocks than an answer can tell */
  answer(request: Infer<typeof HintRequest>, caller: Caller): Settled<PathHint[]> {
    const { hints, questions, runtime } = this.#m
    return whenSettled(questions.of(request.paths, request.ranges ?? [], caller), (asked) => {
      if (request.blocks !== false) checkBlocks(asked)
      return hints.answer(asked, request, runtime.monotonic())
    })
  }

  /** @throws as `Questions.of`; INVALID_ARGUMENT when there is no host */
  plan(request: Infer<typeof AssignRequest>, caller: Caller): Settled<Plan> {
    const { hints, questions, runtime } = this.#m
    const { paths = [], splits = [], hosts, slack } = request
    return whenSettled(questions.of(paths, splits, caller), (asked) => {
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

function checkBlocks(questions: readonly Question[]): void {
  let blocks = 0
  for (const { parts } of questions)
    for (const { file, length } of parts) blocks += blockCount(length, file.blockSizeBytes)
  if (blocks > MAX_BLOCKS) throw tooMuch(`${blocks} blocks`, `${MAX_BLOCKS} blocks`)
}

function checkSize(answers: readonly PathHint[]): void {
  let bytes = 0
  for (const { path, hosts, blocks } of answers) {
    bytes += path.length + hosts.length * HOST_BYTES + blocks.length * BLOCK_BYTES
    for (const { hosts: holders } of blocks) bytes += holders.length * HOLDER_BYTES
  }
  if (bytes > MAX_ANSWER_BYTES) throw tooMuch(`about ${bytes} bytes`, `${MAX_ANSWER_BYTES} over RPC`)
}

function tooMuch(asked: string, most: string): AlluxioError {
  return new AlluxioError(
    'RESOURCE_EXHAUSTED',
    `the answer would be ${asked}, at most ${most} fit: ask for fewer paths or for ranges, or for hosts only ("blocks": false)`,
    { reason: 'ANSWER_TOO_LARGE' },
  )
}

export function whenSettled<T, R>(settled: Settled<T>, then: (value: T) => R): Settled<Awaited<R>> {
  return (settled instanceof Promise ? settled.then(then) : then(settled)) as Settled<Awaited<R>>
}
