/**
 * A file of a store takes the place of another one. Where a rename is one step, the other one is kept beside it until the new one is in
 * place, and comes back if that fails; where it is a copy, the other one is deleted first.
 */
import { AlluxioError, type ErrorCode, errorCode } from '../../../core/index.ts'
import type { Intent } from '../../../namespace/index.ts'
import type { UnderStore } from '../../../ufs/index.ts'
import { ifPresent } from '../../under-stores.ts'

type Rename = Extract<Intent, { op: 'rename' }>

export interface FileReplaceOptions {
  readonly intent: Rename & { readonly over: NonNullable<Rename['over']> }
  /** Paths of the store. */
  readonly from: string
  readonly to: string
  /** Nothing was done for it before. */
  readonly fresh: boolean
  /** Thrown when it was not begun, and is not to be begun any more. */
  readonly givenUp: AlluxioError | undefined
}

/** After these a call may have been done, or still be done. */
const UNKNOWN: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'TIMEOUT', 'CANCELLED', 'INTERNAL'])

/** May be called again after any end. @throws NOT_FOUND, ALREADY_EXISTS for what others put there, and what the store answers */
export async function replaceFile(store: UnderStore, options: FileReplaceOptions): Promise<void> {
  const { intent, from, to, fresh } = options
  const keeps = store.capabilities.atomicRename
  const aside = to.slice(0, to.lastIndexOf('/') + 1) + intent.over.aside
  const state = fresh ? 'not begun' : await stateOf(store, options, aside)
  if (state === 'not begun') await ifPresent(keeps ? store.rename(to, aside) : store.delete(to))
  if (state !== 'moved') {
    try {
      await move(store, from, to)
    } catch (error) {
      if (keeps && !UNKNOWN.has(errorCode(error))) await ifPresent(store.rename(aside, to))
      throw error
    }
  }
  if (keeps) await ifPresent(store.delete(aside))
}

/** How far an attempt before has come. */
async function stateOf(
  store: UnderStore,
  { intent, from, to, givenUp }: FileReplaceOptions,
  aside: string,
): Promise<'not begun' | 'begun' | 'moved'> {
  const { over, fingerprint, length } = intent
  const [source, target] = await Promise.all([ifPresent(store.status(from)), ifPresent(store.status(to))])
  const isOther = target !== undefined && target.fingerprint === over.fingerprint
  const mayBeNew = target !== undefined && !target.directory && target.length === length
  if (source === undefined) {
    if (mayBeNew && !(isOther && over.fingerprint !== fingerprint)) return 'moved'
    if (target === undefined && store.capabilities.atomicRename) await ifPresent(store.rename(aside, to))
    throw new AlluxioError('NOT_FOUND', `${intent.src} is no longer in its under-store`)
  }
  if (givenUp !== undefined && (isOther || (target === undefined && over.fingerprint === ''))) throw givenUp
  if (target === undefined) return 'begun'
  // What was copied already may look the same: it is copied again.
  if (isOther) return 'not begun'
  if (store.capabilities.atomicRename || !mayBeNew)
    throw new AlluxioError('ALREADY_EXISTS', `${intent.dst} exists in its under-store`)
  await ifPresent(store.delete(from))
  return 'moved'
}

export async function move(store: UnderStore, from: string, to: string): Promise<void> {
  const folder = to.slice(0, Math.max(0, to.lastIndexOf('/')))
  if (folder !== '' && store.capabilities.directories) await store.mkdir(folder)
  await store.rename(from, to)
}
