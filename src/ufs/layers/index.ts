/**
 * The layers round a store, from the outside in:
 *
 *   secrets    outermost, so that no error of any layer shows a secret
 *   retry      sees the errors of everything below
 *   limit      each attempt counts against the limits
 *   metrics    each attempt is counted, without the time it waited for the limits
 *   timeout    cuts off one attempt, so that a hanging store is retried
 *   translate  a foreign store's errors and bad paths stop here
 *   faults     nearest to the store, as if the store did it
 */
import type { Runtime } from '../../core/index.ts'
import type { LayerSettings } from '../settings.ts'
import type { UnderStore } from '../store.ts'
import { type FaultOptions, faultLayer } from './faults.ts'
import { limitLayer } from './limit.ts'
import { metricsLayer, type UfsMetrics } from './metrics.ts'
import { retryLayer } from './retry.ts'
import type { RetryPolicy } from './retry-policy.ts'
import { type Redaction, secretsLayer } from './secrets.ts'
import { timeoutLayer } from './timeout.ts'
import { translationLayer } from './translation.ts'

export interface WrapModules {
  readonly runtime: Runtime
  readonly retry: RetryPolicy
  readonly redaction: Redaction
  readonly uri: string
  /** What errors about time call the store. @default the under-store */
  readonly subject?: string
  readonly metrics?: UfsMetrics
  readonly faults?: FaultOptions
}

export function wrapStore(store: UnderStore, settings: LayerSettings, modules: WrapModules): UnderStore {
  const { runtime, metrics, faults } = modules
  let wrapped = faults === undefined ? store : faultLayer(store, faults, runtime)
  wrapped = translationLayer(wrapped, modules.uri)
  wrapped = timeoutLayer(wrapped, settings.timeout, runtime, modules.subject)
  if (metrics !== undefined) wrapped = metricsLayer(wrapped, metrics, runtime)
  wrapped = limitLayer(wrapped, settings.limit, runtime)
  wrapped = retryLayer(wrapped, modules.retry)
  return modules.redaction.empty ? wrapped : secretsLayer(wrapped, modules.redaction)
}
