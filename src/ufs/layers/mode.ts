/** A store in maintenance: refuses what its mode does not allow, before anything is asked of it. */
import { AlluxioError } from '../../core/index.ts'
import type { UnderStore } from '../store.ts'
import { around, type UfsOperation } from './around.ts'

const CHANGES: ReadonlySet<UfsOperation> = new Set([
  'create',
  'mkdir',
  'delete',
  'rename',
  'moveObjects',
  'setAttributes',
])

/** @throws (its calls) PERMISSION_DENIED, reason UFS_MODE */
export function readOnlyStore(store: UnderStore, uri: string): UnderStore {
  return around(store, {
    call: ({ operation, path, signal }, run) =>
      CHANGES.has(operation)
        ? Promise.reject(modeRefusal(uri, 'readOnly', `${operation} ${path}`))
        : run(signal),
  })
}

export function modeRefusal(uri: string, mode: 'readOnly' | 'noAccess', what: string): AlluxioError {
  return new AlluxioError(
    'PERMISSION_DENIED',
    `${what}: ${uri} is in maintenance (${mode}); "alluxio fsadmin ufs --mode readWrite ${uri}" ends that`,
    { reason: 'UFS_MODE', details: { uri, mode } },
  )
}
