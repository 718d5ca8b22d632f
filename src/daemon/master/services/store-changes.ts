/**
 * Changes that touch an under-store and the namespace together: written down as an intent, done in the store, booked in the
 * namespace, alone on their paths (`PathLocks`). One whose outcome the store did not tell, or that a master died in, is settled
 * by looking at the store, as often as it takes; until then its paths stay held, and who asks for them is told why.
 */
import {
  AlluxioError,
  backoffMs,
  type Component,
  type ErrorCode,
  type FileId,
  isAlluxioError,
  type Log,
  type Metrics,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../../../core/index.ts'
import {
  type Caller,
  type CompleteRequest,
  type CreateOutcome,
  type Intent,
  type IntentId,
  type Namespace,
  placesOf,
} from '../../../namespace/index.ts'
import type { StoreChangeInfo as ChangeInfo, Infer } from '../../../rpc/index.ts'
import type { Hold, PathLocks } from './path-locks.ts'
import type { StoreSteps } from './store-steps.ts'
import { EXPECTED_MS, type Uploads } from './uploads.ts'

export interface StoreChangesModules {
  readonly namespace: Namespace
  readonly steps: StoreSteps
  readonly uploads: Uploads
  readonly locks: PathLocks
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
}

type StoreChangeInfo = Infer<typeof ChangeInfo>
type Outcome = CreateOutcome | undefined
type Answer = Pick<PromiseWithResolvers<Outcome>, 'resolve' | 'reject'>

/** Codes that say for certain that nothing is going to be done. After any other it may have been done, or still be done. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'DIRECTORY_NOT_EMPTY',
  'CONFLICT',
  'CANCELLED',
  'UNSUPPORTED',
])
/** The same, if it was the first attempt: later ones cannot even look. */
const FINAL_AT_FIRST: ReadonlySet<ErrorCode> = new Set(['PERMISSION_DENIED', 'UNAUTHENTICATED'])
const RETRY_MS = 100
const MAX_RETRY_MS = 30_000

export class StoreChanges implements Component {
  readonly name = 'store-changes'
  readonly #modules: StoreChangesModules
  readonly #stop = new AbortController()
  /** What the store answered last, of those that it has to be asked about again. */
  readonly #waiting = new Map<IntentId, string>()
  readonly #resumed

  constructor(modules: StoreChangesModules) {
    this.#modules = modules
    const { metrics, namespace } = modules
    this.#resumed = metrics.counter(
      'alluxio_master_intents_resumed_total',
      'Changes of an under-store and the namespace that were cut off by the end of a master',
    )
    metrics.observe(
      'alluxio_master_intents_open',
      'Changes of an under-store and the namespace under way or not settled',
      () => [[{}, namespace.intents.all().filter(({ op }) => op !== 'upload').length]],
    )
  }

  /** Holds the paths of what an earlier life of the master left; it is settled while others are served. */
  start(): void {
    const { namespace, log, uploads } = this.#modules
    for (const intent of namespace.intents.all()) {
      if (intent.op === 'upload') {
        uploads.expect(intent.path)
        if (!this.#isForsaken(intent)) continue
      }
      this.#resumed.add()
      log.info('a change of an under-store was cut off, it is settled', { ...intent })
      void this.#resume(intent)
    }
  }

  stop(): void {
    this.#stop.abort(new AlluxioError('UNAVAILABLE', 'the master is stopping'))
  }

  /** What is under way, oldest first; uploads, which workers do, are left out. */
  all(): StoreChangeInfo[] {
    const { namespace } = this.#modules
    const open = namespace.intents.all().filter(({ op }) => op !== 'upload')
    return open.map((intent) => {
      const { id, op, startedMs, mountId } = intent
      const waitsFor = this.#waiting.get(id)
      return {
        id,
        op,
        paths: this.#paths(intent),
        uri: namespace.mounts.byId(mountId)?.uri ?? '',
        startedMs,
        ...('moved' in intent && intent.moved !== undefined ? { moved: intent.moved } : {}),
        ...(waitsFor === undefined ? {} : { waitsFor }),
      }
    })
  }

  /**
   * Carries out the intent that `begin` writes down when the paths are held, if it does.
   * @throws what the store refuses; UNAVAILABLE reason UNSETTLED when it does not tell: the change may still be made
   */
  run(paths: readonly string[], begin: () => Promise<Intent | undefined>): Promise<Outcome> {
    const { promise, ...answer } = Promise.withResolvers<Outcome>()
    this.#modules.locks
      .exclusive(paths, async (hold) => {
        const intent = await begin()
        if (intent === undefined) answer.resolve(undefined)
        else await this.#carryOut(intent, hold, answer, true)
      })
      .catch(answer.reject)
    return promise
  }

  /** Removes the object of this version at a path, whose file has gone. Never throws. */
  async discard(path: string, fingerprint: string, fileId: FileId): Promise<void> {
    const { intents } = this.#modules.namespace
    const { log } = this.#modules
    try {
      for (;;) {
        const upload = intents.uploadOf(fileId)
        const places = upload === undefined ? [path] : placesOf({ ...upload, path })
        let stays = false
        await this.run(places, async () => {
          // A directory above it may have moved while its turn was waited for.
          stays = intents.uploadOf(fileId)?.also?.length === upload?.also?.length
          const also = places.slice(1)
          return stays ? intents.begin({ op: 'discard', path, fingerprint, also }, upload?.id) : undefined
        })
        if (stays) return
      }
    } catch (error) {
      log.warn('a leftover stays in the under-store', { path, error })
    }
  }

  /**
   * The file's bytes were written to the path that it had before: they are moved to where it is now and booked there, as
   * persisted or, with `completes`, complete. Undefined when the file has gone; its bytes go too.
   */
  async follow(
    fileId: FileId,
    written: string,
    fingerprint: string,
    completes?: { readonly request: CompleteRequest; readonly caller: Caller },
  ): Promise<Outcome> {
    const { namespace } = this.#modules
    for (;;) {
      const path = namespace.inodeById(fileId)?.path
      if (path === undefined) {
        await this.discard(written, fingerprint, fileId)
        return undefined
      }
      if (namespace.resolve(path).mount.mountId !== namespace.resolve(written).mount.mountId)
        throw new AlluxioError('CONFLICT', `${written} moved to another mount while it was persisted`)
      let stays = false
      const also = namespace.intents.uploadOf(fileId)?.also ?? []
      const outcome = await this.run([written, path, ...also], async () => {
        const now = namespace.intents.uploadOf(fileId)?.also ?? []
        stays = namespace.inodeById(fileId)?.path === path && now.length === also.length
        if (!stays) return undefined
        const change = { op: 'follow', fileId, written, fingerprint, also } as const
        if (completes === undefined) return namespace.intents.begin(change)
        const { commandId, ...request } = completes.request
        return namespace.intents.begin({
          ...change,
          ...commandOf(commandId),
          completes: { ...completes, request },
        })
      })
      if (stays) return outcome
    }
  }

  /** Whether nothing more is to come of an upload: its writer has given up, or its file is elsewhere and is written again there. */
  #isForsaken({ fileId, path, length, startedMs }: Extract<Intent, { op: 'upload' }>): boolean {
    const { namespace, runtime } = this.#modules
    if (length === undefined) return runtime.now() - startedMs > EXPECTED_MS
    return namespace.inodeById(fileId)?.path !== path
  }

  async #resume(intent: Intent): Promise<void> {
    const { locks, log, runtime } = this.#modules
    const ignored: Answer = { resolve() {}, reject() {} }
    let begun = false
    for (let attempt = 0; !begun && !this.#stop.signal.aborted; attempt++) {
      try {
        await locks.exclusive(this.#paths(intent), (hold) => {
          begun = true
          return this.#carryOut(intent, hold, ignored, false)
        })
        log.info('it is settled', { id: intent.id, op: intent.op })
      } catch (error) {
        if (begun) log.warn('it was not done', { id: intent.id, op: intent.op, error })
        // Another one's paths overlap, and its store does not answer.
        else await sleep(runtime, backoffMs(runtime, attempt, RETRY_MS, MAX_RETRY_MS))
      }
    }
  }

  async #carryOut(intent: Intent, hold: Hold, answer: Answer, begins: boolean): Promise<void> {
    const { namespace, steps, runtime, log } = this.#modules
    const since = runtime.monotonic()
    let alone = begins
    let refused: unknown
    for (let attempt = 0; ; attempt++) {
      const fresh = begins && attempt === 0
      try {
        if (!alone) await steps.outlive(intent, since, this.#stop.signal)
        alone = true
        if (refused !== undefined) {
          await namespace.intents.settle(intent.id)
          break
        }
        const outcome = await steps.carryOut(intent, fresh)
        this.#waiting.delete(intent.id)
        return answer.resolve(outcome)
      } catch (error) {
        this.#stop.signal.throwIfAborted()
        if (refused === undefined && isFinal(error, fresh)) {
          refused = error
          continue
        }
        log.warn('the outcome of a change of an under-store is not known yet', {
          ...intent,
          attempt,
          error,
        })
        this.#waiting.set(intent.id, toAlluxioError(error).message)
        // The first look may tell at once.
        if (!fresh) {
          const unsettled = this.#unsettled(intent, error)
          hold.stall(unsettled)
          answer.reject(unsettled)
        }
      }
      await sleep(runtime, backoffMs(runtime, attempt, RETRY_MS, MAX_RETRY_MS), this.#stop.signal)
    }
    this.#waiting.delete(intent.id)
    throw refused
  }

  #unsettled(intent: Intent, error: unknown): AlluxioError {
    const { namespace } = this.#modules
    const { uri } = namespace.mounts.byId(intent.mountId) ?? { uri: 'the under-store' }
    const paths = this.#paths(intent)
    const { message, code } = toAlluxioError(error)
    return new AlluxioError(
      'UNAVAILABLE',
      `${intent.op} of ${paths.join(' to ')} cannot be finished, ${uri} does not answer (${message}): try again later`,
      { reason: 'UNSETTLED', details: { paths, uri, code }, cause: error },
    )
  }

  #paths(intent: Intent): string[] {
    switch (intent.op) {
      case 'rename':
        return [intent.src, intent.dst]
      case 'mkdir':
        return [intent.request.path]
      case 'follow': {
        const path = this.#modules.namespace.inodeById(intent.fileId)?.path
        const places = placesOf({ ...intent, path: intent.written })
        return path === undefined ? [...places] : [...places, path]
      }
      case 'upload':
      case 'discard':
        return [...placesOf(intent)]
      default:
        return [intent.path]
    }
  }
}

/** How an intent names its command. */
export function commandOf(commandId: Uint8Array | undefined): { command?: string } {
  return commandId === undefined ? {} : { command: Buffer.from(commandId).toString('hex') }
}

function isFinal(error: unknown, fresh: boolean): boolean {
  if (!isAlluxioError(error)) return false
  if (FINAL.has(error.code) || (fresh && FINAL_AT_FIRST.has(error.code))) return true
  return fresh && error.code === 'RESOURCE_EXHAUSTED' && error.reason !== 'THROTTLED'
}
