/** A mutating admission webhook (admission.k8s.io/v1) for pods that name inputs: preferred nodes, and a gate if they are to be held. */
import type { PathHint } from '../../client/index.ts'
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import { preferredTerms } from '../../scheduler/index.ts'
import type { NodePlaces } from './node-places.ts'
import type { PatchOperation, Pod } from './objects.ts'
import { HELD, holdMs, inputsOf, WARM_GATE } from './pod-inputs.ts'

interface AdmissionReview {
  readonly apiVersion: string
  readonly kind: string
  readonly request: {
    readonly uid: string
    readonly operation: string
    readonly resource: { readonly group: string; readonly resource: string }
    readonly subResource?: string
    readonly object: Pod
  }
}

export interface AdmissionAnswer {
  readonly apiVersion: 'admission.k8s.io/v1'
  readonly kind: 'AdmissionReview'
  readonly response: {
    readonly uid: string
    /** Hints never keep a pod out. */
    readonly allowed: true
    readonly patchType?: 'JSONPatch'
    /** Base64. */
    readonly patch?: string
    /** Shown to who makes the pod. */
    readonly warnings?: readonly string[]
  }
}

export interface AdmissionOptions {
  readonly nodeLabel: string
  /** Longest that a pod is held, ms. */
  readonly maxHoldMs: number
  /** Whether somebody takes the gate away again. */
  readonly holds: boolean
}

export interface AdmissionModules {
  readonly places: NodePlaces
  readonly onMissing: (why: string) => void
}

/** Kubernetes cuts longer ones. */
const MAX_WARNING = 256
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

export class Admission {
  readonly #options: AdmissionOptions
  readonly #m: AdmissionModules

  constructor(options: AdmissionOptions, modules: AdmissionModules) {
    this.#options = options
    this.#m = modules
  }

  async review({ request }: AdmissionReview): Promise<AdmissionAnswer> {
    const { uid, operation, resource, subResource = '', object: pod } = request
    const warnings: string[] = []
    const isNew = operation === 'CREATE' && resource.resource === 'pods' && subResource === ''
    const patch = isNew ? await this.#patch(pod, warnings) : []
    return {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: {
        uid,
        allowed: true,
        ...(patch.length === 0
          ? {}
          : {
              patchType: 'JSONPatch' as const,
              patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
            }),
        ...(warnings.length === 0 ? {} : { warnings }),
      },
    }
  }

  async #patch(pod: Pod, warnings: string[]): Promise<PatchOperation[]> {
    const warn = (why: string) => {
      this.#m.onMissing(why)
      warnings.push(`alluxio: ${why}`.slice(0, MAX_WARNING))
    }
    try {
      const inputs = inputsOf(pod)
      if (inputs.length === 0 || pod.spec.nodeName !== undefined) return []
      const held = this.#hold(pod, warn)
      const { hints, missing } = await this.#m.places.byLabel(inputs).catch((error) => {
        if (!isAlluxioError(error)) throw error
        return { hints: [], missing: error.message }
      })
      if (missing !== undefined) warn(missing)
      // A pod that is held prefers where its inputs are in the end.
      return held.length > 0 ? held : affinityPatch(pod, hints, this.#options.nodeLabel)
    } catch (error) {
      if (!isAlluxioError(error)) throw error
      warn(error.message)
      return []
    }
  }

  #hold(pod: Pod, warn: (why: string) => void): PatchOperation[] {
    if (holdMs(pod, this.#options.maxHoldMs) === undefined) return []
    if (!this.#options.holds) {
      warn('pods are not held here: the daemon may not call the API server')
      return []
    }
    const { labels } = pod.metadata
    const gates = pod.spec.schedulingGates ?? []
    const gate = { name: WARM_GATE }
    if (gates.some(({ name }) => name === WARM_GATE)) return []
    return [
      labels === undefined
        ? { op: 'add', path: '/metadata/labels', value: { [HELD]: 'true' } }
        : { op: 'add', path: `/metadata/labels/${HELD.replace('/', '~1')}`, value: 'true' },
      gates.length === 0
        ? { op: 'add', path: '/spec/schedulingGates', value: [gate] }
        : { op: 'add', path: '/spec/schedulingGates/-', value: gate },
    ]
  }
}

/** Adds preferred nodes to what a pod prefers already. */
export function affinityPatch(pod: Pod, hints: readonly PathHint[], nodeKey: string): PatchOperation[] {
  const terms = preferredTerms(hints, { nodeKey })
  if (terms.length === 0) return []
  const { affinity } = pod.spec
  const { nodeAffinity } = affinity ?? {}
  const preferred = nodeAffinity?.[PREFERRED] ?? []
  const path = '/spec/affinity'
  if (affinity === undefined || affinity === null)
    return [{ op: 'add', path, value: { nodeAffinity: { [PREFERRED]: terms } } }]
  if (nodeAffinity === undefined || nodeAffinity === null)
    return [{ op: 'add', path: `${path}/nodeAffinity`, value: { [PREFERRED]: terms } }]
  return [{ op: 'add', path: `${path}/nodeAffinity/${PREFERRED}`, value: [...preferred, ...terms] }]
}

/** @throws INVALID_ARGUMENT */
export function checkedReview(value: unknown): AdmissionReview {
  const review = value as Partial<AdmissionReview> | null
  const request = review?.request
  const isReview =
    review?.kind === 'AdmissionReview' &&
    review.apiVersion === 'admission.k8s.io/v1' &&
    typeof request?.uid === 'string' &&
    typeof request.operation === 'string' &&
    typeof request.resource?.resource === 'string'
  const pod = request?.object
  // A deletion has no object.
  const isPod = request?.operation !== 'CREATE' || (isObject(pod?.metadata) && isObject(pod?.spec))
  if (isReview && isPod) return review as AdmissionReview
  throw new AlluxioError('INVALID_ARGUMENT', 'this is no AdmissionReview of admission.k8s.io/v1 for a pod')
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
