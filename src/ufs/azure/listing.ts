/**
 * Turns the flat, ordered blobs of a container into a tree's listing. A directory is a name prefix, a marker blob, or both; a
 * marker `dir` comes before `dir-x` and `dir/…` after it, so that what was shown is remembered across pages. Where a file `x`
 * stands beside names below `x/`, the file is what `x` names, and the others are not shown.
 */
import { AlluxioError } from '../../core/index.ts'
import { unescaped } from '../http/index-page.ts'
import { unquoted } from '../http-transport/object-read.ts'
import type { UfsListOptions, UfsPage, UfsStatus } from '../store.ts'
import { childOf, compareUtf8 } from '../uri.ts'
import type { AzureClient } from './client.ts'

const LARGEST_PAGE = 5000
/** Metadata of a marker: what Hadoop writes, and what accounts with a hierarchical namespace show. */
export const FOLDER = 'hdi_isfolder'

export interface ListedBlob {
  /** Below the listed directory; a prefix ends with a slash. */
  readonly name: string
  readonly folder: boolean
  readonly length: number
  readonly modifiedMs: number
  readonly etag: string
}

export interface BlobPage {
  readonly blobs: readonly ListedBlob[]
  readonly marker: string | undefined
}

export interface BlobQuery {
  /** With its slash; '' for the root of the container. */
  readonly prefix: string
  readonly recursive: boolean
  readonly limit: number
  readonly marker?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** One List Blobs call. */
export async function listBlobs(client: AzureClient, path: string, query: BlobQuery): Promise<BlobPage> {
  const { prefix, recursive, limit, marker, signal } = query
  const { text } = await client.send({
    api: 'ListBlobs',
    method: 'GET',
    path,
    signal,
    query: {
      restype: 'container',
      comp: 'list',
      include: 'metadata',
      maxresults: String(Math.min(limit, LARGEST_PAGE)),
      ...(prefix === '' ? {} : { prefix }),
      ...(recursive ? {} : { delimiter: '/' }),
      ...(marker === undefined ? {} : { marker }),
    },
  })
  if (!text.includes('</EnumerationResults>')) {
    throw new AlluxioError('UNAVAILABLE', `list ${path || '/'}: the answer is not the end of a listing`, {
      reason: 'MALFORMED_ANSWER',
    })
  }
  const blobs: ListedBlob[] = []
  for (const [, kind, inner = ''] of text.matchAll(/<(Blob|BlobPrefix)>([\s\S]*?)<\/\1>/g)) {
    const name = nameIn(inner)
    if (!name.startsWith(prefix) || name === prefix) continue
    blobs.push(
      kind === 'Blob' ? blobIn(inner, name.slice(prefix.length)) : prefixed(name.slice(prefix.length)),
    )
  }
  // Within a page the prefixes may come after the blobs.
  if (!recursive) blobs.sort((a, b) => compareUtf8(a.name, b.name))
  return { blobs, marker: element(text, 'NextMarker') || undefined }
}

function prefixed(name: string): ListedBlob {
  return { name, folder: true, length: 0, modifiedMs: 0, etag: '' }
}

function blobIn(xml: string, name: string): ListedBlob {
  const time = Date.parse(element(xml, 'Last-Modified'))
  const folder = /<hdi_isfolder>\s*true\s*</i.test(xml) || element(xml, 'ResourceType') === 'directory'
  return {
    name,
    folder,
    length: Number(element(xml, 'Content-Length') || 0),
    modifiedMs: Number.isNaN(time) ? 0 : time,
    etag: unquoted(element(xml, 'Etag')),
  }
}

/** Names that XML cannot hold come percent-encoded, and say so. */
function nameIn(xml: string): string {
  const match = /<Name(\s+Encoded="true")?>([\s\S]*?)<\/Name>/i.exec(xml)
  const name = unescaped(match?.[2] ?? '')
  return match?.[1] === undefined ? name : decodeURIComponent(name)
}

function element(xml: string, name: string): string {
  return unescaped(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(xml)?.[1] ?? '')
}

interface Shown {
  readonly name: string
  readonly directory: boolean
}

/** Where a listing goes on: from the server's marker, behind a name of ours in that page; and what was shown before. */
interface Cursor {
  readonly marker?: string
  readonly after?: string
  readonly shown: readonly Shown[]
}

function parseCursor(text: string | undefined): Cursor {
  if (text === undefined) return { shown: [] }
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.length === 3 && Array.isArray(value[2])) {
      const [marker, after, shown] = value as [string | null, string | null, [string, boolean][]]
      return {
        ...(marker === null ? {} : { marker }),
        ...(after === null ? {} : { after }),
        shown: shown.map(([name, directory]) => ({ name, directory })),
      }
    }
  } catch {}
  throw new AlluxioError('INVALID_ARGUMENT', 'the cursor of the listing is not one that this store gave')
}

function printCursor({ marker, after, shown }: Cursor): string {
  const kept = shown.map(({ name, directory }) => [name, directory])
  return JSON.stringify([marker ?? null, after ?? null, kept])
}

export interface ListedPage extends UfsPage {
  /** No blob was seen: the directory is empty, or does not exist. */
  readonly nothing: boolean
}

/** A page of the listing of `path`, whose prefix is `prefix`. Asks for more until something is to be shown. */
export async function listPage(
  client: AzureClient,
  path: string,
  prefix: string,
  options: UfsListOptions,
): Promise<ListedPage> {
  const limit = Math.max(1, Math.min(options.limit ?? 1000, LARGEST_PAGE))
  const recursive = options.recursive === true
  let cursor = parseCursor(options.cursor)
  let nothing = options.cursor === undefined
  for (;;) {
    const { marker, signal } = { marker: cursor.marker, signal: options.signal }
    const page = await listBlobs(client, path, { prefix, recursive, limit, marker, signal })
    nothing &&= page.blobs.length === 0
    const tree = new BlobTree(path, limit, cursor)
    for (const blob of page.blobs) {
      const before = cursor.after !== undefined && compareUtf8(blob.name, cursor.after) <= 0
      if (!before && !tree.add(blob)) break
    }
    const next = tree.next(cursor.marker, page.marker)
    if (tree.entries.length > 0 || next === undefined) {
      return { entries: tree.entries, nothing, ...(next === undefined ? {} : { cursor: printCursor(next) }) }
    }
    cursor = next
  }
}

/** Gathers the entries of one page from blobs in order. */
class BlobTree {
  readonly entries: UfsStatus[] = []
  readonly #path: string
  readonly #limit: number
  /** Shown names that the last name begins with. */
  readonly #shown: Shown[]
  #last: string | undefined
  #full = false

  constructor(path: string, limit: number, { shown, after }: Cursor) {
    this.#path = path
    this.#limit = limit
    this.#shown = [...shown]
    this.#last = after
  }

  /** False when the page is full and the blob is left for the next one. */
  add(blob: ListedBlob): boolean {
    const shown = this.#shown
    const name = blob.name.endsWith('/') ? blob.name.slice(0, -1) : blob.name
    while (shown.length > 0 && !name.startsWith(shown.at(-1)!.name)) shown.pop()
    const below = shown.some((one) => !one.directory && blob.name.startsWith(`${one.name}/`))
    if (below || name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      this.#last = blob.name
      return true
    }
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      if (!this.#push(name.slice(0, slash), undefined)) return false
    }
    if (!this.#push(name, blob)) return false
    this.#last = blob.name
    return true
  }

  next(current: string | undefined, following: string | undefined): Cursor | undefined {
    const shown = this.#shown
    if (this.#full) {
      const after = this.#last
      return {
        ...(current === undefined ? {} : { marker: current }),
        ...(after === undefined ? {} : { after }),
        shown,
      }
    }
    return following === undefined ? undefined : { marker: following, shown }
  }

  /** `blob` undefined: a directory of which only something below is known. */
  #push(name: string, blob: ListedBlob | undefined): boolean {
    if (this.#shown.some((one) => one.name === name)) return true
    if (this.entries.length === this.#limit) {
      this.#full = true
      return false
    }
    const directory = blob === undefined || blob.folder || blob.name.endsWith('/')
    this.#shown.push({ name, directory })
    this.entries.push({
      path: childOf(this.#path, name),
      directory,
      length: directory ? 0 : blob.length,
      modifiedMs: blob?.modifiedMs ?? 0,
      fingerprint: directory ? '' : blob.etag,
    })
    return true
  }
}
