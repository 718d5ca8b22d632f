/**
 * DataNodes that a NameNode has named lately. Any of them serves any file: one that has no block of it fetches the bytes from
 * another. For a few bytes that costs less than asking the NameNode where to go, which opens the file all the same.
 */
import type { Endpoint } from './transport.ts'

/** Longest range that is asked of any DataNode. */
export const NEAR_BYTES = 128 * 2 ** 10
/** Few, so that one that has left the cluster is soon found out. */
const MOST = 16
/** Ranges after which the NameNode is asked again: it knows which DataNodes are well, and which are new. */
const ASK_AGAIN = 64

interface DataNode {
  readonly endpoint: Endpoint
  /** Of a request: what stands before the path of the file, and the query without the range. */
  readonly prefix: string
  readonly query: string
}

export interface DataPlace {
  readonly endpoint: Endpoint
  readonly path: string
}

export class DataNodes {
  readonly #known = new Map<string, DataNode>()
  #turn = 0

  /** @param file percent-encoded, as it was asked for */
  learn(file: string, { endpoint, path }: DataPlace): void {
    const question = path.indexOf('?')
    const query = new URLSearchParams(path.slice(question + 1))
    // A token is for what it was given for, and a gateway's words are its own.
    if (
      !path.slice(0, question).endsWith(file) ||
      !query.has('namenoderpcaddress') ||
      query.has('delegation')
    )
      return
    query.delete('offset')
    query.delete('length')
    const key = keyOf(endpoint)
    this.#known.delete(key)
    this.#known.set(key, {
      endpoint,
      prefix: path.slice(0, question - file.length),
      query: query.toString(),
    })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST) return
      this.#known.delete(oldest)
    }
  }

  /** Where a short range may be asked for; undefined: where the NameNode says. */
  near(file: string, offset: number, length: number): DataPlace | undefined {
    const { size } = this.#known
    if (size === 0 || length > NEAR_BYTES || ++this.#turn % ASK_AGAIN === 0) return undefined
    let skip = this.#turn % size
    for (const { endpoint, prefix, query } of this.#known.values())
      if (skip-- === 0)
        return { endpoint, path: `${prefix}${file}?${query}&offset=${offset}&length=${length}` }
    return undefined
  }

  failed({ endpoint }: DataPlace): void {
    this.#known.delete(keyOf(endpoint))
  }
}

function keyOf({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
