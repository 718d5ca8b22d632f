/** Operations that look at metadata. */
import type { ServerResponse } from 'node:http'
import { AlluxioError, STAGING_PATH } from '../../core/index.ts'
import type { DataWorkers } from './data-workers.ts'
import { type HdfsCall, type Operation, sendJson } from './operation.ts'
import { invalid } from './request.ts'
import {
  blockLocationsJson,
  type HolderOf,
  locatedBlocksJson,
  octal,
  placesIn,
  statusJson,
} from './statuses.ts'

/** Entries of one page of a listing. */
export const BATCH = 1000
/** One call fetches them, one more to know whether there are more, and the folder of staged files, which is not shown. */
export const PAGE = { pageSize: BATCH + 2, limit: BATCH + 2 }
/** Characters of a listing that are sent together. */
const CHUNK_LENGTH = 128 * 1024

export const getFileStatus: Operation = async ({ fs, asked }) => {
  return `{"FileStatus":${statusJson(await fs.getStatus(asked.path), '')}}`
}

/** Sent as it is read: a directory of any size costs a page of memory. */
export const listStatus: Operation = async ({ fs, asked, response }) => {
  const { path } = asked
  let text = '{"FileStatuses":{"FileStatus":['
  let isFirst = true
  for await (const status of fs.list(path)) {
    if (status.path === STAGING_PATH) continue
    text += `${isFirst ? '' : ','}${statusJson(status, status.path === path ? '' : status.name)}`
    isFirst = false
    if (text.length < CHUNK_LENGTH) continue
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' })
    if (!response.write(text)) await drained(response)
    text = ''
  }
  text += ']}}'
  if (!response.headersSent) sendJson(response, text)
  else response.end(text)
  return undefined
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      if (response.destroyed) reject(new AlluxioError('CANCELLED', 'the client closed the connection'))
      else resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}

export const listStatusBatch: Operation = async ({ fs, asked }) => {
  const { path } = asked
  const startAfter = asked.get('startafter') ?? ''
  const statuses: string[] = []
  let more = false
  for await (const status of fs.list(path, { ...PAGE, ...(startAfter === '' ? {} : { startAfter }) })) {
    if (status.path === STAGING_PATH) continue
    more = statuses.length === BATCH
    if (more) break
    statuses.push(statusJson(status, status.path === path ? '' : status.name))
  }
  // How many remain nobody has counted; clients ask whether any do.
  return `{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[${statuses.join(',')}]}},"remainingEntries":${more ? 1 : 0}}}`
}

export const getContentSummary: Operation = async ({ fs, asked }) => {
  const [{ folder }, sum] = await Promise.all([fs.getStatus(asked.path), fs.contentSummary(asked.path)])
  const directories = sum.directories + (folder ? 1 : 0)
  return `{"ContentSummary":{"directoryCount":${directories},"ecPolicy":"","fileCount":${sum.files},"length":${sum.bytes},"quota":-1,"snapshotDirectoryCount":0,"snapshotFileCount":0,"snapshotLength":0,"snapshotSpaceConsumed":0,"spaceConsumed":${sum.bytes},"spaceQuota":-1,"typeQuota":{}}}`
}

export const getQuotaUsage: Operation = async ({ fs, asked }) => {
  const [{ folder }, sum] = await Promise.all([fs.getStatus(asked.path), fs.contentSummary(asked.path)])
  const count = sum.files + sum.directories + (folder ? 1 : 0)
  return `{"QuotaUsage":{"fileAndDirectoryCount":${count},"quota":-1,"spaceConsumed":${sum.bytes},"spaceQuota":-1,"typeQuota":{}}}`
}

export const getHomeDirectory: Operation = async ({ user }) => pathJson(`/user/${user}`)

export const getTrashRoot: Operation = async ({ user }) => pathJson(`/user/${user}/.Trash`)

export const getTrashRoots: Operation = async ({ fs, user }) => {
  const path = `/user/${user}/.Trash`
  if (!(await fs.exists(path))) return '{"Paths":[]}'
  return `{"Paths":[${statusJson(await fs.getStatus(path), path)}]}`
}

function pathJson(path: string): string {
  return `{"Path":${JSON.stringify(path)}}`
}

export const getAclStatus: Operation = async ({ fs, asked }) => {
  const status = await fs.getStatus(asked.path)
  // As HDFS lists them: what the mode says is left to the mode.
  const own = status.extendedAcl ? status.acl.filter((entry) => !/^(user::|mask:|other:)/.test(entry)) : []
  const { owner, group, mode } = status
  return JSON.stringify({
    AclStatus: {
      entries: [...own, ...status.defaultAcl],
      group,
      owner,
      permission: octal(mode & 0o777),
      stickyBit: (mode & 0o1000) !== 0,
    },
  })
}

/** FsAction's own writing. */
const ACTION = /^[r-][w-][x-]$/

export const checkAccess: Operation = async ({ fs, asked }) => {
  const action = asked.get('fsaction') ?? '---'
  if (!ACTION.test(action)) throw invalid('fsaction', action, 'it must be like r-x')
  const bits = (action[0] === 'r' ? 4 : 0) + (action[1] === 'w' ? 2 : 0) + (action[2] === 'x' ? 1 : 0)
  await fs.checkAccess(asked.path, bits)
  return ''
}

/** Space of the workers' tiers, which is where bytes go first. */
export const getStatus: Operation = async ({ fs }) => {
  let capacity = 0
  let used = 0
  for (const worker of await fs.admin.workers()) {
    if (worker.state !== 'LIVE') continue
    for (const tier of worker.tiers) {
      capacity += tier.capacityBytes
      used += tier.usedBytes
    }
  }
  return `{"FsStatus":{"capacity":${capacity},"remaining":${capacity - used},"used":${used}}}`
}

export function serverDefaults(blockSizeBytes: number): Operation {
  const json = JSON.stringify({
    FsServerDefaults: {
      blockSize: blockSizeBytes,
      bytesPerChecksum: 512,
      checksumType: 2,
      defaultStoragePolicyId: 0,
      encryptDataTransfer: false,
      fileBufferSize: 4096,
      keyProviderUri: '',
      replication: 1,
      snapshotTrashRootEnabled: false,
      trashInterval: 0,
      writePacketSize: 65536,
    },
  })
  return async () => json
}

const POLICY = {
  copyOnCreateFile: false,
  creationFallbacks: [],
  id: 7,
  name: 'HOT',
  replicationFallbacks: ['ARCHIVE'],
  storageTypes: ['DISK'],
}

/** There is one policy, because clients expect one: where bytes lie is decided by tiers and pins. */
export const getAllStoragePolicy: Operation = async () =>
  JSON.stringify({ BlockStoragePolicies: { BlockStoragePolicy: [POLICY] } })

export const getStoragePolicy: Operation = async ({ fs, asked }) => {
  await fs.getStatus(asked.path)
  return JSON.stringify({ BlockStoragePolicy: POLICY })
}

/** Where blocks are, for schedulers; in the form of Hadoop 3.4 or of 3.3. */
export function blockLocations(workers: DataWorkers, form: 'hosts' | 'nodes'): Operation {
  const holderOf: HolderOf = (workerId, host) => ({ host, port: workers.get(workerId)?.webPort ?? 0 })
  return async ({ fs, asked }: HdfsCall) => {
    const offset = asked.integer('offset') ?? 0
    const length = asked.integer('length') ?? Number.MAX_SAFE_INTEGER
    const [all] = await Promise.all([fs.blockPlaces(asked.path), workers.refresh()])
    const within = placesIn(all, offset, length)
    if (form === 'hosts') return blockLocationsJson(within, holderOf)
    const fileLength = all.reduce((sum, place) => sum + place.length, 0)
    return locatedBlocksJson(all, within, fileLength, holderOf)
  }
}
