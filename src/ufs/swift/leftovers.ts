/**
 * Segments that killed writers left: no listing shows them, and only manifests tell which are in use. All manifests of the
 * account are asked, since a copy of one may be in any container; one that cannot be read ends the search before anything is deleted.
 */
import { AlluxioError, isAlluxioError, type Log, type Runtime } from '../../core/index.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import type { UfsCleaned } from '../store.ts'
import { jsonOf, objectPath, type SwiftConnection } from './client.ts'
import { malformed } from './errors.ts'
import { type LargeObjects, type ManifestItem, SEGMENTS } from './large-objects.ts'
import { listKeys, type SwiftKey } from './listing.ts'

const PAGE = 5000
const READS_AT_ONCE = 8
const FOLDER = `${SEGMENTS}/`

export interface SegmentSweepOptions {
  /** Age, ms, that the youngest segment of a file must have. */
  readonly maxAgeMs: number
}

export interface SegmentSweepModules {
  readonly connection: SwiftConnection
  readonly large: LargeObjects
  readonly retry: RetryPolicy
  readonly runtime: Runtime
  readonly log: Log
}

/** Segments of one write. */
interface Group {
  youngestMs: number
  objects: number
  bytes: number
}

export class SegmentSweep {
  readonly #options: SegmentSweepOptions
  readonly #modules: SegmentSweepModules
  readonly #signal: AbortSignal | undefined

  constructor(options: SegmentSweepOptions, modules: SegmentSweepModules, signal: AbortSignal | undefined) {
    this.#options = options
    this.#modules = modules
    this.#signal = signal
  }

  async run(): Promise<UfsCleaned> {
    const groups = await this.#oldGroups()
    if (groups.size > 0) {
      for await (const container of this.#containers()) await this.#spare(container, groups)
    }
    const cleaned = { objects: 0, bytes: 0 }
    for (const [id, { objects, bytes }] of groups) {
      await this.#delete(id)
      cleaned.objects += objects
      cleaned.bytes += bytes
      this.#modules.log.info('segments without a manifest were removed', { id, objects, bytes })
    }
    return cleaned
  }

  /** By the clock of the server and this host's, whichever makes them younger. */
  async #oldGroups(): Promise<Map<string, Group>> {
    const { connection, runtime } = this.#modules
    const groups = new Map<string, Group>()
    try {
      for await (const { name, length, modifiedMs } of this.#keys(connection.segmentContainer, FOLDER)) {
        const id = name.slice(0, Math.max(0, name.indexOf('/')))
        if (id === '') continue
        const group = groups.get(id) ?? { youngestMs: 0, objects: 0, bytes: 0 }
        // One without a time is as young as can be.
        group.youngestMs = Math.max(group.youngestMs, modifiedMs || Number.POSITIVE_INFINITY)
        group.objects++
        group.bytes += length
        groups.set(id, group)
      }
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) return new Map()
      throw error
    }
    const nowMs = Math.min(runtime.now(), await this.#serverMs())
    for (const [id, { youngestMs }] of groups)
      if (nowMs - youngestMs <= this.#options.maxAgeMs) groups.delete(id)
    return groups
  }

  async #serverMs(): Promise<number> {
    const { connection, retry } = this.#modules
    const container = connection.segmentContainer
    const { headers } = await retry.run('HeadContainer', '', this.#signal, () =>
      connection.send({
        api: 'HeadContainer',
        method: 'HEAD',
        container,
        key: '',
        path: '',
        signal: this.#signal,
      }),
    )
    const ms = Date.parse(headers.date ?? '')
    if (Number.isNaN(ms)) throw malformed(`the time of ${container}`, 'the answer has none')
    return ms
  }

  /** All containers of the account. */
  async *#containers(): AsyncGenerator<string> {
    const { connection, retry } = this.#modules
    for (let marker = ''; ; ) {
      const query = `format=json&limit=${PAGE}&marker=${encodeURIComponent(marker)}`
      const { text, statusCode } = await retry.run('ListAccount', '', this.#signal, () =>
        connection.send({
          api: 'ListAccount',
          method: 'GET',
          container: '',
          key: '',
          path: '',
          query,
          headers: { accept: 'application/json' },
          signal: this.#signal,
        }),
      )
      const page = statusCode === 204 ? [] : (jsonOf('list of containers', text) as { name?: string }[])
      if (!Array.isArray(page)) throw malformed('list of containers', 'the answer is no list')
      for (const { name = '' } of page) yield name
      if (page.length < PAGE) return
      marker = page.at(-1)?.name ?? ''
    }
  }

  /** Takes those out that a manifest of the container names. */
  async #spare(container: string, groups: Map<string, Group>): Promise<void> {
    let manifests: string[] = []
    const read = async () => {
      await Promise.all(manifests.map((key) => this.#spareNamed(container, key, groups)))
      manifests = []
    }
    const isOwn = container === this.#modules.connection.segmentContainer
    for await (const { name, large } of this.#keys(container, '')) {
      // A manifest of a part is itself such a leftover, unless that of the whole names it.
      if (!large || groups.size === 0 || (isOwn && name.startsWith(FOLDER))) continue
      manifests.push(name)
      if (manifests.length === READS_AT_ONCE) await read()
    }
    await read()
  }

  async #spareNamed(container: string, key: string, groups: Map<string, Group>): Promise<void> {
    const { connection, retry } = this.#modules
    let text: Uint8Array
    try {
      const answer = await retry.run('GetManifest', key, this.#signal, () =>
        connection.send({
          api: 'GetManifest',
          method: 'GET',
          container,
          key,
          path: key,
          query: 'multipart-manifest=get',
          signal: this.#signal,
        }),
      )
      text = answer.text
    } catch (error) {
      // Gone since it was listed, and its segments with it or not: who moves one is not to be at work now.
      throw isAlluxioError(error, 'NOT_FOUND') ? changing(container, key, error) : error
    }
    const items = jsonOf(`manifest of ${key}`, text) as readonly ManifestItem[]
    if (!Array.isArray(items)) throw malformed(`manifest of ${key}`, 'it is no list of segments')
    const inside = `/${connection.segmentContainer}/${FOLDER}`
    for (const { name = '' } of items)
      if (name.startsWith(inside)) groups.delete(name.slice(inside.length).split('/')[0]!)
  }

  async #delete(id: string): Promise<void> {
    const { connection, large, retry } = this.#modules
    const container = connection.segmentContainer
    const prefix = `${FOLDER}${id}/`
    const objects: string[] = []
    for await (const { name } of this.#keys(container, prefix))
      objects.push(objectPath(container, prefix + name))
    await retry.run('BulkDelete', prefix, this.#signal, () => large.deleteAll(objects, prefix, this.#signal))
  }

  async *#keys(container: string, prefix: string): AsyncGenerator<SwiftKey> {
    const { connection, retry } = this.#modules
    for (let after: string | undefined; ; ) {
      const query = { container, prefix, recursive: true, limit: PAGE, after, signal: this.#signal }
      const page = await retry.run('list', container, this.#signal, () =>
        listKeys(connection, container, query),
      )
      yield* page.keys
      const last = page.keys.at(-1)
      if (!page.more || last === undefined) return
      after = prefix + last.name
    }
  }
}

function changing(container: string, key: string, cause: AlluxioError): AlluxioError {
  return new AlluxioError(
    'CONFLICT',
    `${container}/${key} went away while manifests were read: nothing was deleted; clean when nobody moves or deletes large objects of this account`,
    { cause },
  )
}
