/**
 * Static large objects: a manifest that names segments, which are objects of the container of segments. A manifest owns its
 * segments, and who deletes or replaces it deletes them, unless it says that they are shared, or they are none that a
 * writer of large objects put there: visible objects that somebody strung together are never deleted.
 */
import { AlluxioError, isAlluxioError, type Log } from '../../core/index.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import { jsonOf, objectPath, type SwiftConnection } from './client.ts'
import { malformed, refused } from './errors.ts'
import { headOf } from './metadata.ts'

/** Deletes of single objects under way at once. */
const DELETES_AT_ONCE = 16
/** Objects of one bulk delete: few enough that the server is done before anyone loses patience. */
const DELETE_BATCH = 1000
/** The server works through a bulk delete, or the segments of a manifest, without a word. */
export const BULK_SILENCE_MS = 300_000
/** A manifest may name manifests; the server follows ten levels. */
const DEEPEST = 10

export interface Segment {
  readonly container: string
  readonly key: string
  readonly etag: string
  readonly bytes: number
}

/** Folder of segments in their container, with one folder a write. */
export const SEGMENTS = 'alluxio'

export interface ManifestItem {
  readonly name?: string
  readonly sub_slo?: boolean
}

export interface LargeObjectsModules {
  readonly connection: SwiftConnection
  readonly retry: RetryPolicy
  readonly log: Log
}

export class LargeObjects {
  readonly #connection: SwiftConnection
  readonly #retry: RetryPolicy
  readonly #log: Log
  #making: Promise<void> | undefined

  constructor(modules: LargeObjectsModules) {
    this.#connection = modules.connection
    this.#retry = modules.retry
    this.#log = modules.log
  }

  /** Makes the container of the segments, unless it is there; once for all who miss it at the same time. */
  makeSegmentContainer(path: string): Promise<void> {
    const { segmentContainer: container } = this.#connection
    this.#making ??= this.#connection
      .send({ api: 'PutContainer', method: 'PUT', container, key: '', path })
      .then(() => {})
      .finally(() => {
        this.#making = undefined
      })
    return this.#making
  }

  /** Segments that go with the object when it goes; none for a plain object, or when it does not own them. */
  async owned(key: string, path: string, signal: AbortSignal | undefined): Promise<string[]> {
    const segments: string[] = []
    const owns = await this.#gather(this.#connection.container, key, path, signal, segments, 0)
    return owns ? segments : []
  }

  /** Deletes a manifest, with its segments when it owns them. */
  async delete(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { container } = this.#connection
    const owned = await this.owned(key, path, signal)
    if (owned.length === 0) {
      await this.#connection.send({ api: 'DeleteObject', method: 'DELETE', container, key, path, signal })
      return
    }
    const { text } = await this.#connection.send({
      api: 'DeleteLargeObject',
      method: 'DELETE',
      container,
      key,
      path,
      query: 'multipart-manifest=delete',
      headers: { accept: 'application/json' },
      signal,
      silenceMs: BULK_SILENCE_MS,
    })
    checkBulk(`delete ${path}`, text)
  }

  /** Deletes objects given as `container/key`, percent-encoded. What is gone already is no error. */
  async deleteAll(objects: readonly string[], path: string, signal: AbortSignal | undefined): Promise<void> {
    if (objects.length === 0) return
    const { bulkDeletes } = await this.#connection.abilities(signal)
    if (bulkDeletes === 0 || objects.length === 1) return this.#deleteEach(objects, path, signal)
    const batch = Math.min(bulkDeletes, DELETE_BATCH)
    for (let at = 0; at < objects.length; at += batch) {
      const { text } = await this.#connection.send({
        api: 'BulkDelete',
        method: 'POST',
        container: '',
        key: '',
        path,
        query: 'bulk-delete',
        headers: { 'content-type': 'text/plain', accept: 'application/json' },
        body: [Buffer.from(objects.slice(at, at + batch).join('\n'))],
        signal,
        silenceMs: BULK_SILENCE_MS,
      })
      checkBulk(`delete ${path}`, text)
    }
  }

  /** Deletes what no manifest names any more. The file is as it should be: what fails here costs space only. */
  async discard(objects: readonly string[], path: string): Promise<void> {
    try {
      await this.#retry.run('delete', path, undefined, () => this.deleteAll(objects, path, undefined))
    } catch (error) {
      this.#log.warn('segments of a large object are left over', { path, first: objects[0], error })
    }
  }

  /** False when the manifest does not own what it names. */
  async #gather(
    container: string,
    key: string,
    path: string,
    signal: AbortSignal | undefined,
    segments: string[],
    depth: number,
  ): Promise<boolean> {
    const { headers, text } = await this.#connection.send({
      api: 'GetManifest',
      method: 'GET',
      container,
      key,
      path,
      query: 'multipart-manifest=get',
      signal,
    })
    const head = headOf(headers)
    if (!head.large || head.shared || depth === DEEPEST) return false
    const items = jsonOf(`manifest of ${path}`, text) as readonly ManifestItem[]
    if (!Array.isArray(items)) throw malformed(`manifest of ${path}`, 'it is no list of segments')
    for (const { name = '', sub_slo: manifest } of items) {
      const slash = name.indexOf('/', 1)
      const [inside, segment] = [name.slice(1, slash), name.slice(slash + 1)]
      if (inside !== this.#connection.segmentContainer) return false
      if (manifest === true && !(await this.#gather(inside, segment, path, signal, segments, depth + 1)))
        return false
      segments.push(objectPath(inside, segment))
    }
    return true
  }

  async #deleteEach(
    objects: readonly string[],
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let next = 0
    const lane = async () => {
      while (next < objects.length) {
        const [container = '', ...key] = objects[next++]!.split('/').map(decodeURIComponent)
        try {
          await this.#connection.send({
            api: 'DeleteObject',
            method: 'DELETE',
            container,
            key: key.join('/'),
            path,
            signal,
          })
        } catch (error) {
          if (!isAlluxioError(error, 'NOT_FOUND')) throw error
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, objects.length) }, lane))
  }
}

/** A bulk request answers 200 whatever happens, and what happened in its content. @throws AlluxioError */
function checkBulk(what: string, text: Uint8Array): void {
  const answer = jsonOf(what, text) as {
    readonly 'Response Status'?: string
    readonly 'Response Body'?: string
    readonly Errors?: readonly (readonly [string, string])[]
  }
  const failed = answer.Errors ?? []
  const status = Number.parseInt(failed[0]?.[1] ?? answer['Response Status'] ?? '', 10)
  if (failed.length === 0 && status < 300) return
  if (Number.isNaN(status)) throw malformed(what, 'the answer does not tell its outcome')
  const first =
    failed[0] === undefined ? (answer['Response Body'] ?? '') : `the first is ${failed[0].join(': ')}`
  const error = refused(what, { statusCode: status, headers: {} })
  throw new AlluxioError(
    error.code,
    `${error.message}; ${failed.length} objects could not be deleted, ${first}`,
    {
      ...(error.reason === undefined ? {} : { reason: error.reason }),
      details: error.details,
    },
  )
}
