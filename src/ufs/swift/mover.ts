/**
 * Moves objects inside a container, by copies on the server. Of a large object only the manifest is copied. While two
 * manifests name the same segments both say so, the first before there is a second: whatever breaks off a move, no
 * delete of the one destroys the other.
 */

import { isAlluxioError } from '../../core/index.ts'
import type { RetryPolicy } from '../layers/retry-policy.ts'
import { isMissing, objectPath, type SwiftConnection } from './client.ts'
import type { LargeObjects } from './large-objects.ts'
import type { SwiftKey } from './listing.ts'
import { headOf, type ObjectHead, sharedHeaders } from './metadata.ts'

const COPIES_AT_ONCE = 16
/** A server copies up to 5 GiB without a word. */
const COPY_SILENCE_MS = 600_000

export interface MoverModules {
  readonly connection: SwiftConnection
  readonly retry: RetryPolicy
  readonly large: LargeObjects
}

export class Mover {
  readonly #connection: SwiftConnection
  readonly #retry: RetryPolicy
  readonly #large: LargeObjects

  constructor(modules: MoverModules) {
    this.#connection = modules.connection
    this.#retry = modules.retry
    this.#large = modules.large
  }

  /** Moves one object; `path` is for messages. */
  async move(
    from: string,
    to: string,
    head: ObjectHead,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (head.large) await this.share(from, head, true, path, signal)
    await this.copy(from, to, path, signal)
    await this.#retry.run('DeleteObject', path, signal, (attempt) =>
      this.#delete(from, path, attempt > 0, signal),
    )
    if (head.large) await this.share(to, head, head.shared, path, signal)
  }

  /** The move of a directory, step by step. */
  tree(from: string, to: string, path: string, signal: AbortSignal | undefined): TreeMove {
    return new TreeMove({ from, to, path, signal }, { mover: this, large: this.#large, retry: this.#retry })
  }

  async copy(from: string, to: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { container } = this.#connection
    await this.#retry.run('CopyObject', path, signal, () =>
      this.#connection.send({
        api: 'CopyObject',
        method: 'COPY',
        container,
        key: from,
        path,
        // A plain object is copied as it is all the same.
        query: 'multipart-manifest=get',
        headers: { destination: objectPath(container, to), 'content-length': '0' },
        signal,
        silenceMs: COPY_SILENCE_MS,
      }),
    )
  }

  async mark(key: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const { container } = this.#connection
    await this.#connection.send({
      api: 'PutObject',
      method: 'PUT',
      container,
      key,
      path,
      headers: { 'content-type': 'application/directory' },
      body: [],
      signal,
    })
  }

  async head(key: string, path: string, signal: AbortSignal | undefined): Promise<ObjectHead> {
    const { container } = this.#connection
    const { headers } = await this.#retry.run('HeadObject', path, signal, () =>
      this.#connection.ask({ api: 'HeadObject', method: 'HEAD', container, key, path, signal }),
    )
    return headOf(headers)
  }

  async share(
    key: string,
    head: ObjectHead,
    shared: boolean,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { container } = this.#connection
    const headers = { ...sharedHeaders(head, shared), 'content-length': '0' }
    await this.#retry.run('PostObject', path, signal, () =>
      this.#connection.send({ api: 'PostObject', method: 'POST', container, key, path, headers, signal }),
    )
  }

  path(key: string): string {
    return objectPath(this.#connection.container, key)
  }

  async #delete(key: string, path: string, again: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { container } = this.#connection
    try {
      await this.#connection.send({ api: 'DeleteObject', method: 'DELETE', container, key, path, signal })
    } catch (error) {
      // An attempt whose answer was lost has deleted it.
      if (!(again && isAlluxioError(error, 'NOT_FOUND'))) throw error
    }
  }
}

interface TreeMoveOptions {
  /** Key prefixes with their slashes. */
  readonly from: string
  readonly to: string
  readonly path: string
  readonly signal: AbortSignal | undefined
}

class TreeMove {
  readonly #options: TreeMoveOptions
  readonly #mover: Mover
  readonly #large: LargeObjects
  readonly #retry: RetryPolicy
  /** Names below the prefixes of which there may be, and of which there are, copies. */
  readonly #begun: string[] = []
  readonly #copied: string[] = []
  readonly #manifests = new Map<string, ObjectHead>()

  constructor(
    options: TreeMoveOptions,
    modules: { readonly mover: Mover; readonly large: LargeObjects; readonly retry: RetryPolicy },
  ) {
    this.#options = options
    this.#mover = modules.mover
    this.#large = modules.large
    this.#retry = modules.retry
  }

  async copy(keys: readonly SwiftKey[], marker: boolean): Promise<void> {
    const sources: { readonly name: string; readonly large: boolean }[] = [...keys]
    if (marker) sources.push({ name: '', large: false })
    let next = 0
    const lane = async () => {
      try {
        while (next < sources.length) await this.#one(sources[next++]!)
      } catch (error) {
        // The others end with the copy that they are at: all have stopped before anybody tries again.
        next = sources.length
        throw error
      }
    }
    const lanes = await Promise.allSettled(
      Array.from({ length: Math.min(COPIES_AT_ONCE, sources.length) }, lane),
    )
    for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
  }

  /** Objects that were copied. */
  get copied(): number {
    return this.#copied.length
  }

  /** Takes the copies back. */
  async undo(): Promise<void> {
    const { from, to, path } = this.#options
    await this.#deleteAll(to, this.#begun, undefined)
    for (const [name, head] of this.#manifests)
      await this.#mover.share(from + name, head, head.shared, path, undefined)
  }

  /** Deletes what was copied; then the copies own their segments. */
  async finish(): Promise<void> {
    const { from, to, path, signal } = this.#options
    await this.#deleteAll(from, this.#copied, signal)
    for (const name of this.#copied) {
      const head = this.#manifests.get(name)
      if (head !== undefined) await this.#mover.share(to + name, head, head.shared, path, signal)
    }
  }

  async #one({ name, large }: { readonly name: string; readonly large: boolean }): Promise<void> {
    const { from, to, path, signal } = this.#options
    try {
      if (large) {
        const head = await this.#mover.head(from + name, path, signal)
        this.#manifests.set(name, head)
        await this.#mover.share(from + name, head, true, path, signal)
      }
      this.#begun.push(name)
      await this.#mover.copy(from + name, to + name, path, signal)
      this.#copied.push(name)
    } catch (error) {
      // A listing may still name what has gone.
      if (!isMissing(error)) throw error
    }
  }

  async #deleteAll(prefix: string, names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { path } = this.#options
    const objects = names.map((name) => this.#mover.path(prefix + name))
    await this.#retry.run('BulkDelete', path, signal, () => this.#large.deleteAll(objects, path, signal))
  }
}
