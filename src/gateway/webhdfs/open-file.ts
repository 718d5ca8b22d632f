/**
 * What the JVM client asks beyond WebHDFS: one call that tells all of a file that a reader needs, tier files on the reader's own
 * host among it, and listings with the places of blocks.
 */
import type { FileSystem, LocatedBlock, LocatedFile, LocateOptions } from '../../client/index.ts'
import { AlluxioError, isAlluxioError, STAGING_PATH } from '../../core/index.ts'
import { type BlockTokens, TOKEN_PARAMETER } from './block-token.ts'
import type { DataWorkers } from './data-workers.ts'
import type { Operation } from './operation.ts'
import { BATCH, PAGE } from './reads.ts'
import { invalid } from './request.ts'
import { type HolderOf, placesJson, statusJson } from './statuses.ts'

/** Blocks of one answer at most. */
const MAX_BLOCKS = 256
const MAX_HOSTS = 16
const HOST = /^[A-Za-z0-9._:-]{1,255}$/
/** Callers' hosts that are remembered. */
const MAX_KNOWN = 1000

/**
 * OPENFILE: `offset`, a byte of the first block told; `blocks`, how many; `host`, names and addresses of the caller's host; `certain`, whether
 * workers are asked for tier files, for a caller who did not find what was concluded. Answers with
 * `{OpenFile: {FileStatus, from, access, workers: [{host, webPort}], blocks: [{id, length, at, near, cold?, paths?, trustSeal?}]}}`: `at` are indices
 * of workers in the order to ask them for `OPEN` with the parameters of `access`; `paths` those at which the tier file of the block may be on
 * the caller's host. Where tier files were concluded for all blocks, `access` is empty: most readers need none, others ask for it with `certain`.
 */
export function openFile(tokens: BlockTokens): Operation {
  const hosts = new HostLists()
  return async ({ fs, asked, user }) => {
    const { path } = asked
    const certain = asked.boolean('certain', false)
    const located = await locate(fs, path, {
      offset: asked.integer('offset') ?? 0,
      maxBlocks: Math.min(MAX_BLOCKS, asked.integer('blocks', 1) ?? MAX_BLOCKS),
      hosts: hosts.of(asked.get('host') ?? ''),
      certain,
    })
    const needsNone = !certain && located.blocks.every(({ local }) => local !== undefined)
    const access = needsNone ? '' : `${TOKEN_PARAMETER}=${await tokens.issue({ op: 'OPEN', path, user })}`
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
      access,
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

/** What callers say of their hosts, read once: a host says the same each time. */
class HostLists {
  readonly #known = new Map<string, ReadonlySet<string>>()

  /** @throws INVALID_ARGUMENT */
  of(text: string): ReadonlySet<string> {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const hosts = text === '' ? [] : text.split(',')
    if (hosts.length > MAX_HOSTS || !hosts.every((host) => HOST.test(host))) {
      throw invalid('host', text.slice(0, 80), `it must be at most ${MAX_HOSTS} names or addresses`)
    }
    const names = new Set(hosts.map((host) => host.toLowerCase()))
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(text, names)
    return names
  }
}

/** LISTLOCATED: as LISTSTATUS_BATCH, `{LocatedListing: {entries: [{FileStatus, blocks?}], more}}`. */
export function listLocated(workers: DataWorkers): Operation {
  const holderOf: HolderOf = (workerId, host) => ({ host, port: workers.get(workerId)?.webPort ?? 0 })
  return async ({ fs, asked }) => {
    const { path } = asked
    const startAfter = asked.get('startafter') ?? ''
    const page = []
    let more = false
    const options = { ...PAGE, ...(startAfter === '' ? {} : { startAfter }) }
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
        : `{"FileStatus":${own},"blocks":${placesJson(places[i]!, holderOf)}}`
    })
    return `{"LocatedListing":{"entries":[${entries.join(',')}],"more":${more}}}`
  }
}
