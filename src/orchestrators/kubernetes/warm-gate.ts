/**
 * Pods that wait for their inputs: has the inputs cached, then takes the gate away and lets the pod prefer where they are now; after the
 * time that the pod allows, at any rate. Several of these may run: who comes second finds the gate gone.
 */
import { type FileSystem, filesBelow } from '../../client/index.ts'
import {
  AlluxioError,
  type Cancel,
  type Component,
  eachLimited,
  every,
  isAlluxioError,
  type Log,
  type Runtime,
  toAlluxioError,
} from '../../core/index.ts'
import { affinityPatch } from './admission.ts'
import type { KubeApi } from './api-server.ts'
import type { NodePlaces } from './node-places.ts'
import type { PatchOperation, Pod } from './objects.ts'
import { HELD, holdMs, inputsOf, WARM_GATE, WARMED } from './pod-inputs.ts'

export interface WarmGateOptions {
  readonly maxHoldMs: number
  readonly nodeLabel: string
}

export interface WarmGateModules {
  readonly api: KubeApi
  readonly places: NodePlaces
  readonly fs: Pick<FileSystem, 'getStatus' | 'list' | 'load'>
  readonly runtime: Runtime
  readonly log: Log
  /** Of a pod that was let go; `why` is '' where all of its inputs are cached. */
  readonly onReleased: (why: string) => void
}

/** Of one input, for all pods that wait for it. */
interface Warming {
  state: 'LOADING' | 'WARM' | 'FAILED'
  why: string
  triedMs: number
}

const ROUND_MS = 1_000
/** Before what failed is tried again. */
const RETRY_MS = 5_000
/** Inputs, and files of one, that are loaded at once. */
const PARALLEL_INPUTS = 8
const PARALLEL_FILES = 16

export class WarmGate implements Component {
  readonly name = 'warm-gate'
  readonly #options: WarmGateOptions
  readonly #m: WarmGateModules
  readonly #inputs = new Map<string, Warming>()
  /** By pod's uid: when it was seen first, monotonic ms. */
  #seen: ReadonlyMap<string, number> = new Map()
  #abort = new AbortController()
  #cancel: Cancel = () => {}

  constructor(options: WarmGateOptions, modules: WarmGateModules) {
    this.#options = options
    this.#m = modules
  }

  get held(): number {
    return this.#seen.size
  }

  start(): void {
    const { runtime, log } = this.#m
    const failed = (error: unknown) => log.warn('pods that wait', { error: toAlluxioError(error).message })
    this.#cancel = every(runtime, ROUND_MS, () => this.#round(), failed)
  }

  stop(): void {
    this.#cancel()
    this.#abort.abort(new AlluxioError('CANCELLED', 'the daemon is stopping'))
  }

  async #round(): Promise<void> {
    const { api, runtime, log } = this.#m
    const pods = await api.list<Pod>('/api/v1/pods', { labelSelector: `${HELD}=true` })
    const seen = new Map<string, number>()
    const wanted = new Set<string>()
    for (const pod of pods) {
      const { uid = '' } = pod.metadata
      if (!(pod.spec.schedulingGates ?? []).some(({ name }) => name === WARM_GATE)) continue
      seen.set(uid, this.#seen.get(uid) ?? runtime.monotonic())
      for (const input of inputsSafely(pod)) wanted.add(input)
    }
    this.#seen = seen
    for (const path of this.#inputs.keys()) if (!wanted.has(path)) this.#inputs.delete(path)
    this.#warm(wanted)
    for (const pod of pods) {
      const since = seen.get(pod.metadata.uid ?? '')
      if (since === undefined) continue
      const why = this.#whyHeld(pod, since)
      if (why !== undefined)
        await this.#release(pod, why).catch((error) =>
          log.warn('a pod is not let go', { pod: pod.metadata.name, error: toAlluxioError(error).message }),
        )
    }
  }

  /** undefined: it waits on; '': all is cached; else what was not done when its time was over. */
  #whyHeld(pod: Pod, sinceMs: number): string | undefined {
    const { runtime } = this.#m
    const states = inputsSafely(pod).map((path) => ({ path, ...this.#inputs.get(path)! }))
    if (states.every(({ state }) => state === 'WARM')) return ''
    const limit = holdSafely(pod, this.#options.maxHoldMs)
    // The servers' clocks may differ: ours, from when the pod was seen, bounds it as well.
    const created = Date.parse(pod.metadata.creationTimestamp ?? '')
    const age = Number.isNaN(created) ? 0 : runtime.now() - created
    if (Math.max(age, runtime.monotonic() - sinceMs) < limit) return undefined
    const { path, state, why } = states.find((input) => input.state !== 'WARM')!
    return `${path} is not cached after ${limit} ms${state === 'FAILED' ? `: ${why}` : ''}`
  }

  async #release(pod: Pod, why: string): Promise<void> {
    const { api, places, onReleased, log } = this.#m
    const { name, namespace } = pod.metadata
    const gate = pod.spec.schedulingGates!.findIndex((found) => found.name === WARM_GATE)
    const path = `/spec/schedulingGates/${gate}`
    const note = why === '' ? 'true' : why.slice(0, 1000)
    const operations: PatchOperation[] = [
      { op: 'test', path: `${path}/name`, value: WARM_GATE },
      { op: 'remove', path },
      { op: 'remove', path: `/metadata/labels/${HELD.replace('/', '~1')}` },
      // It has annotations: its inputs.
      { op: 'add', path: `/metadata/annotations/${WARMED.replace('/', '~1')}`, value: note },
    ]
    const ranked = await places
      .byLabel(inputsSafely(pod))
      .catch((error) => ({ hints: [], missing: toAlluxioError(error).message }))
    operations.push(...affinityPatch(pod, ranked.hints, this.#options.nodeLabel))
    try {
      await api.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, operations)
    } catch (error) {
      const gone = isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'CONFLICT')
      if (!gone && !isAlluxioError(error, 'INVALID_ARGUMENT')) throw error
      // It was deleted, or another one was first: then the test of the patch fails. If it was neither, the next round tries again.
      log.info('pod not let go', { pod: name, namespace, error: toAlluxioError(error).message })
      return
    }
    log.info('pod let go', { pod: name, namespace, why })
    onReleased(why)
  }

  #warm(wanted: ReadonlySet<string>): void {
    const { runtime } = this.#m
    let loading = [...this.#inputs.values()].filter(({ state }) => state === 'LOADING').length
    for (const path of wanted) {
      const known = this.#inputs.get(path)
      const now = runtime.monotonic()
      if (known !== undefined && (known.state !== 'FAILED' || now - known.triedMs < RETRY_MS)) continue
      if (loading >= PARALLEL_INPUTS) {
        // Its turn comes; until then it counts as not cached.
        if (known === undefined)
          this.#inputs.set(path, {
            state: 'FAILED',
            why: 'waits for others',
            triedMs: Number.NEGATIVE_INFINITY,
          })
        continue
      }
      loading++
      const warming: Warming = { state: 'LOADING', why: '', triedMs: now }
      this.#inputs.set(path, warming)
      this.#load(path).then(
        () => {
          warming.state = 'WARM'
        },
        (error) => {
          warming.state = 'FAILED'
          warming.why = toAlluxioError(error).message
          this.#m.log.warn('an input is not cached', { path, error: warming.why })
        },
      )
    }
  }

  #load(path: string): Promise<void> {
    const { fs } = this.#m
    const { signal } = this.#abort
    return eachLimited(filesBelow(fs, path), PARALLEL_FILES, async (file) => {
      await fs.load(file.path, { signal })
    })
  }
}

/** What is wrong with the annotations was told when the pod was made. */
function inputsSafely(pod: Pod): string[] {
  try {
    return inputsOf(pod)
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    return []
  }
}

function holdSafely(pod: Pod, maxMs: number): number {
  try {
    return holdMs(pod, maxMs) ?? 0
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    return 0
  }
}
