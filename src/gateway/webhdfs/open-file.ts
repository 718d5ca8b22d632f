/**
 * What the JVM client asks beyond WebHDFS: one call that tells all of a file that a reader needs, tier files on the reader's own
 * host among it, and listings with the places of blocks.
 */
import type { FileSystem, LocatedBlock, LocatedFile, LocateOptions } from '../../client/index.ts'
import { AlluxioError, isAlluxioError, STAGING_PATH } from '../../core/index.ts'
import { type BlockTokens, TOKEN_PARAMETER } from './block-token.ts'
import type { DataWorkers } from './data-workers.ts'
import type { Operation } from './operation.ts'
import { invalid } from './request.ts'
import { blockLocations, type HolderOf, statusJson } from './statuses.ts'

/** Blocks of one answer at most. */
const MAX_BLOCKS = 256
const MAX_HOSTS = 16
const HOST = /^[A-Za-z0-9._:-]{1,255}$/
/** Entries of one answer to LISTLOCATED. */
const BATCH = 1000

/**
 * OPENFILE: `offset`, a byte of the first block told; `blocks`, how many; `host`, names and addresses of the caller's host. Answers with
 * `{OpenFile: {FileStatus, from, access, workers: [{host, webPort}], blocks: [{id, length, at, near, path?, trustSeal?}]}}`: `at` are indices
 * of workers in the order to ask them for `OPEN` with the parameters of `access`; `path` the tier file of the block on the caller's host.
 */
export function openFile(tokens: BlockTokens): Operation {
  return async ({ fs, asked, user }) => {
    const { path } = asked
    const [located, token] = await Promise.all([
      locate(fs, path, {
        offset: asked.integer('offset') ?? 0,
        maxBlocks: Math.min(MAX_BLOCKS, asked.integer('blocks', 1) ?? MAX_BLOCKS),
        hosts: hostsOf(asked.get('host') ?? ''),
      }),
      tokens.issue({ op: 'OPEN', path, user }),
    ])
    const workers = new Map<number, { readonly index: number; readonly json: object }>()
    const indexOf = ({ id, host, webPort }: LocatedBlock['workers'][number]) => {
      let known = workers.get(id)
      if (known === undefined) {
        known = { index: workers.size, json: { host, webPort } }
        workers.set(id, known)
      }
      return known.index
    }
    const blocks = located.blocks.map(({ blockId, length, near, cold = false, local, workers: ranked }) => ({
      id: blockId,
      length,
      at: ranked.filter(({ webPort }) => webPort > 0).map(indexOf),
      near,
      ...(cold ? { cold } : {}),
      ...local,
    }))
    const status = statusJson(located.status, '')
    const rest = {
      from: located.firstBlock,
      access: `${TOKEN_PARAMETER}=${token}`,
      workers: [...workers.values()].map(({ json }) => json),
      blocks,
    }
    return `{"OpenFile":{"FileStatus":${status},${JSON.stringify(rest).slice(1)}}`
  }
}

async function locate(fs: FileSystem, path: string, options: LocateOptions): Promise<LocatedFile> {
  try {
    return await fs.locate(path, options)
  } catch (error) {
    if (isAlluxioError(error, 'IS_A_DIRECTORY')) {
      throw new AlluxioError('IS_A_DIRECTORY', `Path is not a file: ${path}`)
    }
    if (!isAlluxioError(error, 'CONFLICT') || error.reason !== 'INCOMPLETE') throw error
    // Of a file that is being written nothing can be seen yet.
    return { status: await fs.getStatus(path), firstBlock: 0, blocks: [] }
  }
}

function hostsOf(text: string): ReadonlySet<string> {
  const hosts = text === '' ? [] : text.split(',')
  if (hosts.length > MAX_HOSTS || !hosts.every((host) => HOST.test(host))) {
    throw invalid('host', text.slice(0, 80), `it must be at most ${MAX_HOSTS} names or addresses`)
  }
  return new Set(hosts.map((host) => host.toLowerCase()))
}

/** LISTLOCATED: as LISTSTATUS_BATCH, `{LocatedListing: {entries: [{FileStatus, blocks?}], more}}`. */
export function listLocated(workers: DataWorkers): Operation {
  const holderOf: HolderOf = (workerId, host) => ({ host, port: workers.get(workerId)?.webPort ?? 0 })
  return async ({ fs, asked }) => {
    const { path } = asked
    const startAfter = asked.get('startafter') ?? ''
    const page = []
    let more = false
    const options = { pageSize: BATCH + 1, ...(startAfter === '' ? {} : { startAfter }) }
    for await (const status of fs.list(path, options)) {
      if (status.path === STAGING_PATH) continue
      more = page.length === BATCH
      if (more) break
      page.push(status)
    }
    const [places] = await Promise.all([fs.placesOf(page), workers.refresh()])
    const entries = page.map((status, i) => {
      const own = statusJson(status, status.path === path ? '' : status.name)
      return status.folder
        ? `{"FileStatus":${own}}`
        : `{"FileStatus":${own},"blocks":${JSON.stringify(blockLocations(places[i]!, holderOf))}}`
    })
    return `{"LocatedListing":{"entries":[${entries.join(',')}],"more":${more}}}`
  }
}
