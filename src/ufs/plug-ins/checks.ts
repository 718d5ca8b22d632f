/** What a plug-in hands over is looked at before it is believed: its export, its stores, and what their methods answer. */
import { AlluxioError } from '../../core/index.ts'
import type { UfsFactory } from '../registry.ts'
import type { UfsCapabilities, UfsPage, UfsStatus, UnderStore } from '../store.ts'

const METHODS = [
  'open',
  'create',
  'status',
  'list',
  'mkdir',
  'delete',
  'rename',
  'space',
  'setAttributes',
  'close',
] as const satisfies readonly (keyof UnderStore)[]

/** What a store must say: capabilities that came later may be left out. */
type Demanded = {
  [K in keyof UfsCapabilities as undefined extends UfsCapabilities[K] ? never : K]: 'boolean' | 'number'
}

const CAPABILITIES: Readonly<Demanded> = {
  atomicRename: 'boolean',
  directoryRename: 'boolean',
  directories: 'boolean',
  etag: 'boolean',
  conditionalCreate: 'boolean',
  objectMetadata: 'boolean',
  posix: 'boolean',
  space: 'boolean',
  orderedList: 'boolean',
  bestRangeBytes: 'number',
  bestRangeParallelism: 'number',
}

/** @throws INVALID_ARGUMENT */
export function checkedFactory(exported: unknown): UfsFactory {
  const factory = exported as Partial<UfsFactory> | null | undefined
  if (typeof factory?.open !== 'function' || !Array.isArray(factory.schemes)) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      'has no default export of the form { schemes, open(uri, options, modules) }',
    )
  }
  return factory as UfsFactory
}

/** @throws INVALID_ARGUMENT naming all that is missing */
export function checkedStore(opened: unknown): UnderStore {
  const store = (opened ?? {}) as Record<string, unknown>
  const capabilities = (store.capabilities ?? {}) as Record<string, unknown>
  const missing = [
    ...METHODS.filter((method) => typeof store[method] !== 'function').map((method) => `${method}()`),
    ...Object.entries(CAPABILITIES)
      .filter(([key, type]) => typeof capabilities[key] !== type)
      .map(([key, type]) => `capabilities.${key} (a ${type})`),
  ]
  if (missing.length > 0) {
    throw new AlluxioError('INVALID_ARGUMENT', `opened a store that lacks ${missing.join(', ')}`)
  }
  return opened as UnderStore
}

/** Of a checked store, in a form that can be sent. */
export function declaredCapabilities({ capabilities }: UnderStore): UfsCapabilities {
  return JSON.parse(JSON.stringify(capabilities)) as UfsCapabilities
}

/** @throws INTERNAL */
export function checkedStatus(given: unknown, method: string): UfsStatus {
  const status = (given ?? {}) as Partial<UfsStatus>
  const { path, directory, length, modifiedMs, fingerprint, mode, owner, group, metadata } = status
  if (
    typeof path !== 'string' ||
    typeof directory !== 'boolean' ||
    typeof length !== 'number' ||
    typeof modifiedMs !== 'number' ||
    typeof fingerprint !== 'string'
  ) {
    throw new AlluxioError(
      'INTERNAL',
      `${method} answered no status: path, directory, length, modifiedMs and fingerprint are needed`,
    )
  }
  return {
    path,
    directory,
    length,
    modifiedMs,
    fingerprint,
    ...(typeof mode === 'number' ? { mode } : {}),
    ...(typeof owner === 'string' ? { owner } : {}),
    ...(typeof group === 'string' ? { group } : {}),
    ...(typeof metadata === 'object' && metadata !== null
      ? { metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)])) }
      : {}),
  }
}

/** @throws INTERNAL */
export function checkedPage(given: unknown): UfsPage {
  const { entries, cursor } = (given ?? {}) as Partial<UfsPage>
  if (!Array.isArray(entries)) throw new AlluxioError('INTERNAL', 'list answered no page: entries are needed')
  return {
    entries: entries.map((entry) => checkedStatus(entry, 'list')),
    ...(cursor === undefined ? {} : { cursor: String(cursor) }),
  }
}
