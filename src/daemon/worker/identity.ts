/**
 * Who a worker is: a uuid made when its data folder is first used, and the cluster that its blocks belong to. Both stand
 * in one small file that is replaced as a whole.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { AlluxioError, fromErrno, type Runtime } from '../../core/index.ts'

export interface WorkerIdentity {
  readonly uuid: string
  /** '' until the worker has registered for the first time. */
  readonly clusterId: string
  /** Quotas that were derived from the machine when a folder was first used: they must not shrink as the folder fills. */
  readonly quotas?: Readonly<Record<string, number>>
}

const FILE = 'worker.json'

/** Reads the identity in `folder`, or makes one. @throws DATA_LOSS when the file is unreadable nonsense */
export async function loadIdentity(folder: string, runtime: Runtime): Promise<WorkerIdentity> {
  const path = join(folder, FILE)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw fromErrno(error, 'read worker identity', path)
  })
  if (text === undefined) {
    const identity = { uuid: makeUuid(runtime), clusterId: '' }
    await saveIdentity(folder, identity)
    return identity
  }
  const known = parse(text)
  if (known === undefined) {
    throw new AlluxioError(
      'DATA_LOSS',
      `${path} does not name a worker: put the file back, or remove it together with the worker's tiers to start anew`,
    )
  }
  return known
}

export async function saveIdentity(folder: string, identity: WorkerIdentity): Promise<void> {
  const path = join(folder, FILE)
  try {
    await mkdir(folder, { recursive: true })
    const file = await open(`${path}.tmp`, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(identity, undefined, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
  } catch (error) {
    throw fromErrno(error, 'write worker identity', path)
  }
}

function parse(text: string): WorkerIdentity | undefined {
  try {
    const value = JSON.parse(text) as { uuid?: unknown; clusterId?: unknown; quotas?: unknown } | null
    if (typeof value?.uuid !== 'string' || value.uuid === '' || typeof value.clusterId !== 'string') return
    const quotas = Object.entries(value.quotas ?? {}).filter(([, bytes]) => typeof bytes === 'number')
    return { uuid: value.uuid, clusterId: value.clusterId, quotas: Object.fromEntries(quotas) }
  } catch {
    return undefined
  }
}

/** A random UUID, version 4 (RFC 9562). */
function makeUuid(runtime: Runtime): string {
  const bytes = runtime.randomBytes(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
