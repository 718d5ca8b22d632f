import { mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import type { UnderStore } from '../store.ts'
import { LocalStore } from './index.ts'

let base: string
let root: string
let store: UnderStore
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'alluxio-local-'))
  root = join(base, 'root')
  await mkdir(root)
  await mkdir(join(base, 'outside'))
  await writeFile(join(base, 'outside', 'secret'), 'secret')
  store = new LocalStore({ root, sync: false, temporaryAgeMs: 0 }, { runtime: systemRuntime, log: silentLog })
})
afterEach(() => rm(base, { recursive: true, force: true }))

async function read(path: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length: 1e9 })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function write(path: string, text: string, at: UnderStore = store) {
  const writer = await at.create(path)
  await writer.write(Buffer.from(text))
  return writer.close()
}

describe('containment', () => {
  const escaped = { code: 'PERMISSION_DENIED', reason: 'SYMLINK_ESCAPE' }

  test.each([
    ['absolute', () => join(base, 'outside')],
    ['relative', () => '../outside'],
    ['through a directory inside', () => 'inside/../../outside'],
  ])('an %s link out of the root is refused in every operation', async (_, target) => {
    await mkdir(join(root, 'inside'))
    await symlink(target(), join(root, 'link'))
    await symlink(join(target(), 'secret'), join(root, 'file-link'))
    const operations: (() => Promise<unknown>)[] = [
      () => read('link/secret'),
      () => read('file-link'),
      () => store.status('link/secret'),
      () => store.status('file-link'),
      () => store.status('link'),
      () => store.list('link'),
      () => write('link/new', 'x'),
      () => store.mkdir('link/dir'),
      () => store.mkdir('link/dir/below'),
      () => store.delete('link/secret'),
      () => store.delete('link/secret', { recursive: true }),
      () => store.rename('link/secret', 'stolen'),
      () => write('mine', 'x').then(() => store.rename('mine', 'link/placed')),
      () => store.setAttributes('link/secret', { mode: 0o777 }),
      () => store.setAttributes('file-link', { mode: 0o777 }),
    ]
    for (const operation of operations) await expect(operation()).rejects.toMatchObject(escaped)
    const recursive = await store.list('', { recursive: true })
    expect(recursive.entries.map((entry) => entry.path).sort()).toEqual(['inside', 'mine'])
    expect(await readdir(join(base, 'outside'))).toEqual(['secret'])
  })

  test('deleting a link, or a directory that holds one, never touches what it points at', async () => {
    await mkdir(join(root, 'dir'))
    await symlink(join(base, 'outside'), join(root, 'dir', 'link'))
    await symlink(join(base, 'outside'), join(root, 'link'))
    await store.delete('dir', { recursive: true })
    await store.delete('link', { recursive: true })
    expect(await readdir(join(base, 'outside'))).toEqual(['secret'])
    expect(await readdir(root)).toEqual([])
  })

  test('a directory goes although files still come', async () => {
    await mkdir(join(root, 'busy'))
    for (let i = 0; i < 200; i++) await writeFile(join(root, 'busy', `before-${i}`), '')
    const coming = (async () => {
      for (let i = 0; i < 300; i++) await writeFile(join(root, 'busy', `during-${i}`), '').catch(() => {})
    })()
    await store.delete('busy', { recursive: true })
    await coming
    expect(await readdir(root)).toEqual([])
  })

  test('links that stay inside are followed; a loop of them does not trap a listing', async () => {
    await write('data/file', 'content')
    await symlink('data', join(root, 'alias'))
    await symlink('..', join(root, 'data', 'up'))
    expect(await read('alias/file')).toBe('content')
    expect(await store.status('alias')).toMatchObject({ directory: true })
    const { entries } = await store.list('', { recursive: true })
    expect(entries.map((entry) => entry.path)).toEqual(['alias', 'data', 'data/file', 'data/up'])
  })

  test('a root that is itself a link is fine', async () => {
    await symlink(root, join(base, 'root-link'))
    const linked = new LocalStore(
      { root: join(base, 'root-link'), sync: true, temporaryAgeMs: 0 },
      { runtime: systemRuntime, log: silentLog },
    )
    await write('file', 'content', linked)
    expect(await read('file')).toBe('content')
  })

  test('a file that is synced while it is written is whole', async () => {
    const synced = new LocalStore(
      { root, sync: true, temporaryAgeMs: 0 },
      { runtime: systemRuntime, log: silentLog },
    )
    const writer = await synced.create('large')
    const chunk = Buffer.from(Array.from({ length: 2 ** 20 + 1 }, (_, i) => (i * 7) & 255))
    for (let i = 0; i < 70; i++) await writer.write(chunk)
    expect((await writer.close()).length).toBe(70 * chunk.length)
    let at = 0
    for await (const part of synced.open('large', { offset: 0, length: 1e9 })) {
      const expected = chunk[(at + part.length - 1) % chunk.length]
      at += part.length
      expect(part[part.length - 1]).toBe(expected)
    }
    expect(at).toBe(70 * chunk.length)
    expect(await readdir(root)).toEqual(['large'])
  })

  test('a pipe or socket is neither read nor listed', async () => {
    const { execFileSync } = await import('node:child_process')
    execFileSync('mkfifo', [join(root, 'pipe')])
    await expect(read('pipe')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect((await store.list('')).entries).toEqual([])
  })
})

describe('writing', () => {
  test('the temporary file is hidden from listings, and does not keep a directory from being deleted', async () => {
    await store.mkdir('dir')
    const writer = await store.create('dir/file')
    await writer.write(Buffer.from('x'))
    expect((await readdir(join(root, 'dir'))).length).toBe(1)
    expect((await store.list('dir')).entries).toEqual([])
    await store.delete('dir')
    await expect(writer.close()).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('abort and failure leave nothing', async () => {
    const writer = await store.create('file')
    await writer.write(Buffer.alloc(3_000_000))
    await writer.abort()
    await write('taken', 'first')
    const late = await store.create('late', { ifAbsent: true })
    await late.write(Buffer.from('late'))
    await write('late', 'early')
    await expect(late.close()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    expect((await readdir(root)).sort()).toEqual(['late', 'taken'])
    expect(await read('late')).toBe('early')
  })

  test('many small chunks and a few large ones arrive in order', async () => {
    const writer = await store.create('mixed')
    const parts: Buffer[] = []
    for (let i = 0; i < 3000; i++) parts.push(Buffer.from(`${i};`))
    parts.push(Buffer.alloc(9_000_000, 'y'), Buffer.from('end'))
    for (const part of parts) await writer.write(part)
    const status = await writer.close()
    const expected = Buffer.concat(parts)
    expect(status.length).toBe(expected.length)
    expect((await read('mixed')) === expected.toString()).toBe(true)
    expect(status.fingerprint).toBe((await store.status('mixed')).fingerprint)
  })

  test('a synced store writes the same', async () => {
    const synced = new LocalStore(
      { root, sync: true, temporaryAgeMs: 0 },
      { runtime: systemRuntime, log: silentLog },
    )
    await write('a/b/file', 'content', synced)
    expect(await read('a/b/file')).toBe('content')
  })
})

describe('reading', () => {
  test('a file that became shorter under a reader is a conflict, never silence', async () => {
    await write('file', 'x'.repeat(8 * 2 ** 20))
    const chunks = store.open('file', { offset: 0, length: 1e9 })[Symbol.asyncIterator]()
    await chunks.next()
    await truncate(join(root, 'file'), 2 ** 20)
    const rest = async () => {
      while ((await chunks.next()).done !== true);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'CONFLICT', reason: 'SOURCE_CHANGED' })
  })

  test('the same length at another time is another fingerprint', async () => {
    const { fingerprint } = await write('file', 'content')
    await utimes(join(root, 'file'), 1, 1)
    expect((await store.status('file')).fingerprint).not.toBe(fingerprint)
    expect((await store.status('file')).modifiedMs).toBe(1000)
  })

  test('no descriptor stays open', async () => {
    await write('file', 'x'.repeat(4 * 2 ** 20))
    const before = (await readdir('/proc/self/fd')).length
    for (let i = 0; i < 20; i++) {
      for await (const _ of store.open('file', { offset: 0, length: 1e9 })) break
      await read('missing').catch(() => {})
      await store.list('')
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before + 1)
  })
})

describe('listing', () => {
  test('pages are in byte order, whatever the order on the disk, and continue from the kept window', async () => {
    const names = Array.from(
      { length: 1500 },
      (_, i) => `${(i * 7919) % 1500}-${i % 3 === 0 ? '語' : '\u{1f680}'}`,
    )
    for (const name of names) await writeFile(join(root, name), '')
    // Only a directory that has been left alone for a while is remembered between pages.
    await utimes(root, 1, 1)
    const seen: string[] = []
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await store.list('', { limit: 100, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.entries.map((entry) => entry.path))
      cursor = page.cursor
      more = cursor !== undefined
    }
    expect(seen).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  })

  test('owner and group have names', async () => {
    await write('file', 'x')
    const { uid } = await stat(join(root, 'file'))
    const { owner } = await store.status('file')
    if (uid === 0) expect(owner).toBe('root')
    else expect(owner).not.toBe('')
    await expect(store.setAttributes('file', { owner: 'no-such-user-here' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})

test('space is that of the file system', async () => {
  const { totalBytes, usedBytes } = await store.space()
  expect(totalBytes).toBeGreaterThan(usedBytes)
})

describe('what killed writers left', () => {
  const LEFT = '.alluxio-0123456789abcdef.tmp'
  const sweeping = () =>
    new LocalStore({ root, sync: false, temporaryAgeMs: 200 }, { runtime: systemRuntime, log: silentLog })
  const until = async (holds: () => Promise<boolean>) => {
    for (let i = 0; i < 100 && !(await holds()); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  test('goes with a listing that sweeps when it is old; other names and young ones stay', async () => {
    const local = sweeping()
    await mkdir(join(root, 'd'))
    for (const name of [LEFT, '.alluxio-not-one-of-ours', 'file']) await writeFile(join(root, 'd', name), 'x')
    await new Promise((resolve) => setTimeout(resolve, 250))
    const young = LEFT.replace('0', '1')
    await writeFile(join(root, 'd', young), 'x')
    await local.list('', { recursive: true })
    expect(await readdir(join(root, 'd'))).toContain(LEFT)
    const { entries } = await local.list('', { recursive: true, sweep: true })
    expect(entries.map(({ path }) => path)).toEqual(['d', 'd/.alluxio-not-one-of-ours', 'd/file'])
    await until(async () => !(await readdir(join(root, 'd'))).includes(LEFT))
    await local.close()
    expect((await readdir(join(root, 'd'))).sort()).toEqual(
      ['.alluxio-not-one-of-ours', young, 'file'].sort(),
    )
  })

  test('is nothing that a writer still has, however long it waits', async () => {
    const local = sweeping()
    const writer = await local.create('slow')
    await writer.write(Buffer.from('content'))
    await new Promise((resolve) => setTimeout(resolve, 500))
    await local.list('', { sweep: true })
    await local.close()
    await writer.close()
    expect(await read('slow')).toBe('content')
  })
})
