import { beforeEach, describe, expect, test } from '@jest/globals'
import { ALICE, BOB, makeWorld, ROOT, type World } from '../../test/support/namespace.ts'
import { blockIdOf, type FileId, FLAG_COMPLETED, type WorkerId } from '../core/index.ts'
import type { Caller, Publication } from './types.ts'

const W1 = 1 as WorkerId
const KB = 1024
const FILE = { blockSizeBytes: KB, recursive: true, overwrite: false, writeType: 'MUST_CACHE' }

let world: World
beforeEach(async () => {
  world = await makeWorld()
  const mode = 0o1777
  await world.namespace.mkdir({ path: '/aside', recursive: false, allowExists: false, mode }, ROOT)
  await world.namespace.mkdir({ path: '/data', recursive: false, allowExists: false, mode: 0o777 }, ROOT)
})

async function stage(name: string, caller: Caller = ALICE): Promise<FileId> {
  const { inode } = await world.namespace.create({ ...FILE, path: `/aside/${name}`, ttlMs: 60_000 }, caller)
  world.blocks.add(W1, blockIdOf(inode.record.id, 0), 0)
  return inode.record.id
}

function publish(
  fileId: FileId,
  name: string,
  publication: Publication,
  caller: Caller = ALICE,
  length = 700,
) {
  const request = { path: `/aside/${name}`, fileId, length, persistAsync: false, publish: publication }
  return world.namespace.complete(request, caller)
}

describe('a file that was written aside', () => {
  test('is whole at its place in one step, with its attributes and without its TTL', async () => {
    const id = await stage('a')
    const xattr = { etag: Buffer.from('x') }
    await publish(id, 'a', { path: '/data/deep/er/file', xattr, mode: 0o640 })
    await world.crash()
    const { record } = world.namespace.inode('/data/deep/er/file')!
    expect(record.id).toBe(id)
    expect(record.flags & FLAG_COMPLETED).toBe(FLAG_COMPLETED)
    expect([record.length, record.mode, record.ttlMs]).toEqual([700, 0o640, -1])
    expect(Buffer.from(record.tail.xattr!.etag!)).toEqual(Buffer.from('x'))
    expect(world.namespace.inode('/aside/a')).toBeUndefined()
    const { files, bytes } = await world.namespace.contentSummary('/data', ROOT)
    expect({ files, bytes }).toEqual({ files: 1, bytes: 700 })
    expect(await world.namespace.contentSummary('/aside', ROOT)).toMatchObject({ files: 0, bytes: 0 })
    expect(world.namespace.expired(4e12, 10)).toEqual([])
    expect(world.namespace.inodeById(id)?.path).toBe('/data/deep/er/file')
  })

  test('replaces the file that is there, whose blocks go', async () => {
    const first = await stage('a')
    await publish(first, 'a', { path: '/data/f' })
    const second = await stage('b')
    const { replaced } = await publish(second, 'b', { path: '/data/f' }, ALICE, 100)
    expect(replaced?.record.id).toBe(first)
    expect(world.namespace.inode('/data/f')!.record).toMatchObject({ id: second, length: 100 })
    expect(await world.namespace.contentSummary('/', ROOT)).toMatchObject({ files: 1, bytes: 100 })
    expect(world.namespace.inodeById(first)).toBeUndefined()
    expect(world.blocks.cached(first, 700, KB).cachedBytes).toBe(0)
  })

  test('finds what it expects, or changes nothing', async () => {
    const first = await stage('a')
    await publish(first, 'a', { path: '/data/f', expects: 0 })
    const second = await stage('b')
    for (const expects of [0, second]) {
      await expect(publish(second, 'b', { path: '/data/f', expects })).rejects.toMatchObject({
        code: 'CONFLICT',
        reason: 'PRECONDITION',
      })
    }
    expect(world.namespace.inode('/data/f')!.record.id).toBe(first)
    await publish(second, 'b', { path: '/data/f', expects: first })
    expect(world.namespace.inode('/data/f')!.record.id).toBe(second)
  })

  test('replaces no directory, and nothing where its writer may not write', async () => {
    const id = await stage('a')
    await world.namespace.mkdir({ path: '/data/d', recursive: false, allowExists: false }, ALICE)
    await expect(publish(id, 'a', { path: '/data/d' })).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
    await expect(publish(id, 'a', { path: '/mine' })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(publish(id, 'a', { path: '/data/d/x' }, BOB)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    expect(world.namespace.inode('/aside/a')!.record.flags & FLAG_COMPLETED).toBe(0)
  })

  test('a persisted one that it replaces leaves an intent to drop its object', async () => {
    const first = await stage('a')
    await publish(first, 'a', { path: '/data/f' })
    await world.namespace.persisted(first, 'v1')
    const second = await stage('b')
    const { drop } = await publish(second, 'b', { path: '/data/f' })
    expect(drop).toMatchObject({ op: 'drop', path: '/data/f' })
    await world.crash()
    expect(world.namespace.intents.all()).toMatchObject([{ op: 'drop', path: '/data/f' }])
  })

  test('has what was changed of the file that it replaces while it was written, and no more', async () => {
    const first = await stage('a')
    await publish(first, 'a', { path: '/data/f', mode: 0o644 })
    const { mode, owner, group, accessedMs } = world.namespace.inode('/data/f')!.record
    const follows = { fileId: first, mode, owner, group, accessedMs }
    const set = (fields: object) =>
      world.namespace.setAttribute({ path: '/data/f', recursive: false, ...fields }, ROOT)
    await set({ owner: 'carol', accessedMs: 12_345 })
    const second = await stage('b', BOB)
    await publish(second, 'b', { path: '/data/f', mode: 0o600, follows }, BOB)
    const now = world.namespace.inode('/data/f')!.record
    expect([now.id, now.mode, now.owner, now.group, now.accessedMs]).toEqual([
      second,
      0o600,
      'carol',
      'dev',
      12_345,
    ])
    // Of another file than the one that was seen nothing passes on.
    const third = await stage('c')
    await publish(third, 'c', { path: '/data/f', mode: 0o640, follows })
    const last = world.namespace.inode('/data/f')!.record
    expect([last.id, last.mode, last.owner]).toEqual([third, 0o640, 'alice'])
  })

  test('is published once by a command that is repeated', async () => {
    const id = await stage('a')
    const request = {
      path: '/aside/a',
      fileId: id,
      length: 700,
      persistAsync: false,
      publish: { path: '/data/f', expects: 0 },
      commandId: new Uint8Array(16).fill(7),
    }
    await world.namespace.complete(request, ALICE)
    expect((await world.namespace.complete(request, ALICE)).inode.path).toBe('/data/f')
  })
})

describe('what may have changed since it was looked at', () => {
  const unexpected = { code: 'CONFLICT', reason: 'PRECONDITION' }

  test('is deleted only as the file that was seen', async () => {
    const id = await stage('a')
    await publish(id, 'a', { path: '/data/f' })
    const remove = (expects: object) =>
      world.namespace.delete({ path: '/data/f', recursive: false, expects }, ALICE)
    await expect(remove({ fileId: id + 1 })).rejects.toMatchObject(unexpected)
    await world.namespace.persisted(id, 'version 1')
    await expect(remove({ fileId: id, fingerprint: 'version 0' })).rejects.toMatchObject(unexpected)
    expect(world.namespace.inode('/data/f')).toBeDefined()
    await remove({ fileId: id, fingerprint: 'version 1' })
    expect(world.namespace.inode('/data/f')).toBeUndefined()
  })

  test('an empty folder goes unless it was marked meanwhile; it is marked in the step that makes it', async () => {
    const mark = { path: '/data/a/b', recursive: true, allowExists: true, xattr: { mark: Buffer.from('1') } }
    const prune = (path: string) =>
      world.namespace.delete({ path, recursive: false, expects: { lacks: 'mark' } }, ALICE)
    const marked = async () => Object.keys(world.namespace.inode('/data/a/b')!.record.tail.xattr ?? {})
    const made = await world.namespace.mkdir(mark, ALICE)
    expect(Object.keys(made.inode.record.tail.xattr!)).toEqual(['mark'])
    await expect(prune('/data/a/b')).rejects.toMatchObject(unexpected)
    await world.crash()
    expect(await marked()).toEqual(['mark'])
    await world.namespace.setAttribute({ path: '/data/a/b', recursive: false, xattr: { mark: null } }, ALICE)
    expect(await marked()).toEqual([])
    // One that is there is marked, too, by who may write it.
    const again = await world.namespace.mkdir(mark, ALICE)
    expect(again.inode.record.id).toBe(made.inode.record.id)
    expect(Object.keys(again.inode.record.tail.xattr!)).toEqual(['mark'])
    expect(await marked()).toEqual(['mark'])
    await expect(
      world.namespace.mkdir({ ...mark, xattr: { other: Buffer.from('1') } }, BOB),
    ).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await prune('/data/a').catch((error: unknown) =>
      expect(error).toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' }),
    )
    await world.namespace.setAttribute({ path: '/data/a/b', recursive: false, xattr: { mark: null } }, ALICE)
    await prune('/data/a/b')
    await prune('/data/a')
    expect(world.namespace.inode('/data/a')).toBeUndefined()
  })

  test('the mark of a folder that is made in its store outlives a crash in between', async () => {
    const { intents } = world.namespace
    const request = { path: '/data/s', recursive: true, allowExists: true, xattr: { mark: Buffer.from('1') } }
    const { id } = await intents.begin({ op: 'mkdir', request, caller: ALICE })
    await world.crash()
    const found = world.namespace.intents.get(id)
    if (found?.op !== 'mkdir') throw new Error('the intent is gone')
    await world.namespace.mkdir({ ...found.request, persisted: true, settles: id }, found.caller)
    const { record } = world.namespace.inode('/data/s')!
    expect(Buffer.from(record.tail.xattr!.mark!).toString()).toBe('1')
  })
})

describe('keys of the S3 gateway', () => {
  const key = { accessKeyId: 'AKALICE', secretAccessKey: 'a-secret-of-alice', user: 'alice' }

  test('their owners and superusers manage them; secrets are never told', async () => {
    const { credentials } = world.namespace
    await credentials.put(key, ALICE)
    await credentials.put(key, ALICE)
    await credentials.put({ ...key, accessKeyId: 'AKBOB', user: 'bob' }, ROOT)
    await expect(credentials.put({ ...key, accessKeyId: 'X1', user: 'root' }, ALICE)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await expect(credentials.put({ ...key, user: 'root' }, ROOT)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
    await world.crash()
    const listed = world.namespace.credentials.list(ROOT)
    expect(listed.map(({ accessKeyId, user }) => [accessKeyId, user])).toEqual([
      ['AKALICE', 'alice'],
      ['AKBOB', 'bob'],
    ])
    expect(JSON.stringify(listed)).not.toContain('secret')
    expect(world.namespace.credentials.list(ALICE)).toHaveLength(1)
    await expect(world.namespace.credentials.delete('AKBOB', ALICE)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    expect(await world.namespace.credentials.delete('AKALICE', ALICE)).toBe(true)
    expect(await world.namespace.credentials.delete('AKALICE', ROOT)).toBe(false)
  })

  test('a superuser gets the key of a day and region (AWS, "Examples of the complete Signature Version 4 signing process")', async () => {
    const { credentials } = world.namespace
    const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
    await credentials.put({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey, user: 'alice' }, ROOT)
    const of = { accessKeyId: 'AKIDEXAMPLE', date: '20130524', region: 'us-east-1' }
    const { user, key: derived } = credentials.signingKey(of, ROOT)
    expect([user, derived.toString('hex')]).toEqual([
      'alice',
      'dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378',
    ])
    expect(() => credentials.signingKey(of, ALICE)).toThrow('alice may not')
    expect(() => credentials.signingKey({ ...of, accessKeyId: 'AK' }, ROOT)).toThrow('no such access key')
  })
})
