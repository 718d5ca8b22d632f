/** How this worker makes a file in an under-store, and how it knows one that it has made before. */
import { isAlluxioError, type Log } from '../../../core/index.ts'
import type { UfsCreateOptions, UfsStatus, UfsWriter, UnderStore } from '../../../ufs/store.ts'

export interface FileAttributes {
  readonly fileId: number
  readonly clusterId: string
  readonly mode: number
  readonly owner: string
  readonly group: string
  /** Bytes; 0 when unknown. */
  readonly length: number
}

/** Metadata of an object that names the file which it holds. */
const FILE_ID = 'alluxio-file-id'

/** @param ifAbsent refuse to replace what stands at `path`, where the store can */
export async function createWithParents(
  store: UnderStore,
  path: string,
  file: FileAttributes,
  ifAbsent = false,
): Promise<UfsWriter> {
  // No signal: a create that is given up half way may still come into being, and nobody would be there to abort it.
  const options: UfsCreateOptions = {
    mode: file.mode,
    ...(ifAbsent && store.capabilities.conditionalCreate ? { ifAbsent } : {}),
    ...(file.length > 0 ? { sizeHint: file.length } : {}),
    ...(store.capabilities.objectMetadata ? { metadata: { [FILE_ID]: fileIdText(file) } } : {}),
  }
  try {
    return await store.create(path, options)
  } catch (error) {
    const slash = path.lastIndexOf('/')
    if (!isAlluxioError(error, 'NOT_FOUND') || slash <= 0) throw error
    await store.mkdir(path.slice(0, slash))
    return await store.create(path, options)
  }
}

/**
 * Makes a written file visible, and its owner's where that can be: a user whom only the cluster knows, or a worker that may
 * not give files away, is no reason to refuse the bytes.
 */
export async function finish(
  store: UnderStore,
  writer: UfsWriter,
  path: string,
  file: FileAttributes,
  log: Log,
): Promise<UfsStatus> {
  const status = await closeOrFind(store, writer, path, file, log)
  const { owner, group } = file
  if (!store.capabilities.posix || owner === '' || (status.owner === owner && status.group === group)) {
    return status
  }
  try {
    await store.setAttributes(status.path, { owner, group })
  } catch (error) {
    log.debug('owner not set in the under-store', { path: status.path, owner, group, error })
  }
  return status
}

/** A close whose answer was lost may have made the file visible all the same: its id tells. */
async function closeOrFind(
  store: UnderStore,
  writer: UfsWriter,
  path: string,
  file: FileAttributes,
  log: Log,
): Promise<UfsStatus> {
  try {
    return await writer.close()
  } catch (error) {
    const found = await store.status(path).catch(() => undefined)
    if (found?.metadata?.[FILE_ID] !== fileIdText(file)) throw error
    log.info('the under-store has the file although it did not say so', { path, error })
    return found
  }
}

/** What stands at `path`, if anything does. */
export async function statusIfAny(
  store: UnderStore,
  path: string,
  signal: AbortSignal,
): Promise<UfsStatus | undefined> {
  try {
    return await store.status(path, signal)
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

/**
 * Whether an object that is there already is this very file, left by an attempt whose end nobody saw. A store that keeps
 * no metadata is asked for the bytes, which `same` compares.
 */
export async function isFinishedCopy(
  found: UfsStatus,
  file: FileAttributes,
  same: () => Promise<boolean>,
): Promise<boolean> {
  if (found.directory || found.length !== file.length) return false
  const id = found.metadata?.[FILE_ID]
  return id === undefined ? same() : id === fileIdText(file)
}

function fileIdText(file: FileAttributes): string {
  return `${file.clusterId}/${file.fileId}`
}

/** Whether two streams carry the same bytes, however they are cut. */
export async function sameBytes(
  a: AsyncIterable<Uint8Array>,
  b: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const left = a[Symbol.asyncIterator]()
  const right = b[Symbol.asyncIterator]()
  let x: Uint8Array | undefined = new Uint8Array(0)
  let y: Uint8Array | undefined = new Uint8Array(0)
  try {
    for (;;) {
      while (x !== undefined && x.length === 0) x = await nextChunk(left)
      while (y !== undefined && y.length === 0) y = await nextChunk(right)
      if (x === undefined || y === undefined) return x === y
      const n = Math.min(x.length, y.length)
      if (Buffer.compare(x.subarray(0, n), y.subarray(0, n)) !== 0) return false
      x = x.subarray(n)
      y = y.subarray(n)
    }
  } finally {
    await Promise.allSettled([left.return?.(), right.return?.()])
  }
}

async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const { done, value } = await chunks.next()
  return done === true ? undefined : value
}
