import { describe, expect, it } from '@jest/globals'
import {
  AlluxioError,
  encodeRecord,
  entryBytes,
  type FileRecord,
  FLAG_COMPLETED,
  writeEntry,
} from '../core/index.ts'
import type { Client, MasterFs } from '../rpc/index.ts'
import { statusOfEntry } from './file-status.ts'
import { listEntries } from './listing.ts'

const record = (fields: Partial<FileRecord> = {}): FileRecord => ({
  directory: false,
  flags: FLAG_COMPLETED,
  mode: 0o644,
  persistence: 'PERSISTED',
  ttlAction: 'DELETE',
  id: 17 as FileRecord['id'],
  length: 1000,
  modifiedMs: 5,
  createdMs: 4,
  accessedMs: 6,
  ttlMs: -1,
  blockSizeBytes: 64,
  mountId: 1 as FileRecord['mountId'],
  replicationMin: 0,
  replicationMax: -1,
  owner: 'ann',
  group: 'staff',
  syncedSeconds: 0,
  tail: {},
  ...fields,
})

function page(entries: readonly (readonly [string, boolean])[], cached = 0): Buffer {
  return Buffer.concat(
    entries.map(([name, directory]) => {
      const bytes = encodeRecord(record({ directory }))
      const entry = Buffer.alloc(entryBytes(Buffer.byteLength(name), bytes.length))
      writeEntry(entry, 0, Buffer.from(name), bytes, cached, 0)
      return entry
    }),
  )
}

/** A master whose tree is a map of folders; pages of `limit` entries, the cursor is the last name. */
function masterOf(tree: Record<string, readonly (readonly [string, boolean])[]>) {
  const asked: string[] = []
  const list = async ({ path, limit, cursor }: { path: string; limit: number; cursor?: string }) => {
    asked.push(`${path}@${cursor ?? ''}`)
    const entries = tree[path]
    if (entries === undefined) throw new AlluxioError('NOT_FOUND', path)
    const from = cursor === undefined ? 0 : entries.findIndex(([name]) => name > cursor)
    const some = entries.slice(from, from + limit)
    const more = from + limit < entries.length
    return { page: page(some), ...(more ? { cursor: some.at(-1)![0] } : {}) }
  }
  return { asked, fs: { list } as unknown as Client<typeof MasterFs> }
}

async function paths(listing: AsyncIterable<{ path: string }>): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of listing) found.push(path)
  return found
}

describe('listing', () => {
  const tree = {
    '/': [
      ['a', true],
      ['b', false],
      ['c', true],
      ['gone', true],
      ['z', false],
    ],
    '/a': [
      ['x', false],
      ['y', true],
    ],
    '/a/y': [],
    '/c': [['c', false]],
  } as const

  it('pages through a directory and fetches ahead', async () => {
    const { fs, asked } = masterOf(tree)
    expect(await paths(listEntries(fs, '/', { pageSize: 2 }))).toEqual(['/a', '/b', '/c', '/gone', '/z'])
    expect(asked).toEqual(['/@', '/@b', '/@gone'])
    const ahead = masterOf(tree)
    const listing = listEntries(ahead.fs, '/', { pageSize: 2 })
    await listing.next()
    expect(ahead.asked).toEqual(['/@', '/@b'])
    await listing.return(undefined)
  })

  it('asks for no page behind what is wanted', async () => {
    const { fs, asked } = masterOf(tree)
    expect(await paths(listEntries(fs, '/', { pageSize: 2, limit: 3 }))).toEqual(['/a', '/b', '/c'])
    expect(asked).toEqual(['/@', '/@b'])
  })

  it('walks depth first, parents before children, past what vanished', async () => {
    const { fs } = masterOf(tree)
    expect(await paths(listEntries(fs, '/', { recursive: true, pageSize: 1 }))).toEqual([
      '/a',
      '/a/x',
      '/a/y',
      '/b',
      '/c',
      '/c/c',
      '/gone',
      '/z',
    ])
  })

  it('fails for a directory that does not exist, and for a senseless page size', async () => {
    const { fs } = masterOf(tree)
    await expect(paths(listEntries(fs, '/none', { recursive: true }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(paths(listEntries(fs, '/', { pageSize: 0 }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  it('stops at the signal', async () => {
    const { fs } = masterOf(tree)
    const abort = new AbortController()
    const seen: string[] = []
    const walk = async () => {
      for await (const { path } of listEntries(fs, '/', { pageSize: 2, signal: abort.signal })) {
        seen.push(path)
        abort.abort(new AlluxioError('CANCELLED', 'enough'))
      }
    }
    await expect(walk()).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(seen).toEqual(['/a', '/b'])
  })
})

describe('file status', () => {
  it('shows every field of the record', () => {
    const status = statusOfEntry('/d/f', page([['f', false]], 505))
    expect(status.toJSON()).toMatchObject({
      name: 'f',
      path: '/d/f',
      folder: false,
      length: 1000,
      completed: true,
      pinned: false,
      persisted: true,
      owner: 'ann',
      ttl: -1,
      cachedBytes: 505,
      inAlluxioPercentage: 50,
      inMemoryPercentage: 0,
      xattr: {},
    })
    expect(JSON.parse(JSON.stringify(status)).mode).toBe(0o644)
  })

  it('calls a reply without entry what it is', () => {
    expect(() => statusOfEntry('/d', Buffer.alloc(0))).toThrow('no entry')
  })
})
