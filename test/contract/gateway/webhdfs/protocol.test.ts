/** The operations of WebHDFS, asked one by one. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { writeWhole } from '../../../support/whole-file.ts'
import { ask, exceptionOf, Hdfs } from './http.ts'

let cluster: Cluster
let hdfs: Hdfs
beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true })
  hdfs = new Hdfs(cluster.webHdfs, process.env.USER ?? 'root')
}, 120_000)
afterAll(() => cluster?.dispose())

const MiB = 2 ** 20

describe('files', () => {
  const bytes = patternBytes(1, 5 * MiB + 17)

  test('are written, told of, and read in parts', async () => {
    const made = await hdfs.write('/files/a', bytes, { permission: '640', blocksize: String(MiB) })
    expect([made.status, made.headers.location]).toEqual([
      201,
      expect.stringMatching(/^webhdfs:.*\/files\/a$/),
    ])
    expect(await hdfs.status('/files/a')).toMatchObject({
      ...{
        type: 'FILE',
        length: bytes.length,
        blockSize: MiB,
        permission: '640',
        replication: 1,
        pathSuffix: '',
      },
    })
    expect((await hdfs.read('/files/a')).equals(bytes)).toBe(true)
    for (const [offset, length] of [
      [0, 1],
      [MiB - 1, 2],
      [3, 4 * MiB],
      [bytes.length - 5, 100],
      [bytes.length, 10],
    ] as const) {
      const part = await hdfs.read('/files/a', { offset: String(offset), length: String(length) })
      expect(part.equals(bytes.subarray(offset, offset + length))).toBe(true)
    }
    const beyond = await hdfs.call('GET', '/files/a', 'OPEN', { offset: String(bytes.length + 1) })
    expect([beyond.status, exceptionOf(beyond)]).toEqual([416, 'EOFException'])
  })

  test('are not replaced unless it is said', async () => {
    await hdfs.write('/files/b', bytes.subarray(0, 10))
    const refused = await hdfs.write('/files/b', bytes.subarray(0, 20))
    expect([refused.status, exceptionOf(refused)]).toEqual([409, 'FileAlreadyExistsException'])
    expect((await hdfs.write('/files/b', bytes.subarray(0, 30), { overwrite: 'true' })).status).toBe(201)
    expect(
      (await hdfs.write('/files/b', bytes.subarray(0, 40), { createflag: 'CREATE,OVERWRITE' })).status,
    ).toBe(201)
    expect((await hdfs.read('/files/b')).length).toBe(40)
    const flagged = await hdfs.write('/files/b', bytes, { createflag: 'CREATE', overwrite: 'true' })
    expect(exceptionOf(flagged)).toBe('FileAlreadyExistsException')
    expect(exceptionOf(await hdfs.write('/files', bytes, { overwrite: 'true' }))).toBe(
      'FileAlreadyExistsException',
    )
    const orphan = await hdfs.write('/files/no/parent', bytes, { createparent: 'false' })
    expect(exceptionOf(orphan)).toBe('FileNotFoundException')
  })

  test('are appended to, cut and joined', async () => {
    await hdfs.write('/files/grow', bytes.subarray(0, MiB), { permission: '600', blocksize: String(MiB / 4) })
    await hdfs.call('PUT', '/files/grow', 'SETXATTR', { 'xattr.name': 'user.k', 'xattr.value': '"v"' })
    const appended = await hdfs.call('POST', '/files/grow', 'APPEND', {}, bytes.subarray(MiB, 2 * MiB))
    expect(appended.status).toBe(200)
    expect((await hdfs.read('/files/grow')).equals(bytes.subarray(0, 2 * MiB))).toBe(true)
    expect(await hdfs.status('/files/grow')).toMatchObject({ permission: '600', blockSize: MiB / 4 })
    const { json } = await hdfs.call('GET', '/files/grow', 'GETXATTRS')
    expect(json.XAttrs).toEqual([{ name: 'user.k', value: '"v"' }])
    const cut = await hdfs.call('POST', '/files/grow', 'TRUNCATE', { newlength: '1000' })
    expect(cut.json).toEqual({ boolean: true })
    expect((await hdfs.read('/files/grow')).equals(bytes.subarray(0, 1000))).toBe(true)
    expect(exceptionOf(await hdfs.call('POST', '/files/grow', 'TRUNCATE', { newlength: '1001' }))).toBe(
      'IllegalArgumentException',
    )
    await hdfs.write('/files/more', bytes.subarray(1000, 3000))
    await hdfs.write('/files/rest', bytes.subarray(3000, 3333))
    const joined = await hdfs.call('POST', '/files/grow', 'CONCAT', { sources: '/files/more,/files/rest' })
    expect(joined.status).toBe(200)
    expect((await hdfs.read('/files/grow')).equals(bytes.subarray(0, 3333))).toBe(true)
    expect(await hdfs.status('/files/more')).toBeUndefined()
    for (const sources of ['/files/grow', '/files/a,/files/a', '']) {
      expect(exceptionOf(await hdfs.call('POST', '/files/grow', 'CONCAT', { sources }))).toBe(
        'IllegalArgumentException',
      )
    }
    expect(exceptionOf(await hdfs.call('POST', '/files/none', 'APPEND', {}, bytes))).toBe(
      'FileNotFoundException',
    )
  })

  test('say where their blocks are, in both forms', async () => {
    await hdfs.write('/files/placed', bytes, { blocksize: String(MiB) })
    const range = { offset: String(MiB + 1), length: String(MiB) }
    const { json } = await hdfs.call('GET', '/files/placed', 'GETFILEBLOCKLOCATIONS', range)
    const locations = json.BlockLocations.BlockLocation
    expect(locations.map((l) => [l.offset, l.length])).toEqual([
      [MiB, MiB],
      [2 * MiB, MiB],
    ])
    expect(locations[0]).toMatchObject({ hosts: ['127.0.0.1'], cachedHosts: ['127.0.0.1'], corrupt: false })
    expect(locations[0]!.names).toEqual([`127.0.0.1:${cluster.workers[0]!.webPort}`])
    const old = (await hdfs.call('GET', '/files/placed', 'GET_BLOCK_LOCATIONS')).json.LocatedBlocks
    expect(old).toMatchObject({ fileLength: bytes.length, isUnderConstruction: false })
    expect(old.locatedBlocks).toHaveLength(6)
    expect(old.lastLocatedBlock).toMatchObject({ startOffset: 5 * MiB, block: { numBytes: 17 } })
  })

  test('of equal bytes and block size have equal checksums', async () => {
    const parameters = { blocksize: String(MiB) }
    for (const name of ['c1', 'c2']) await hdfs.write(`/files/${name}`, bytes, parameters)
    await hdfs.write(
      '/files/c3',
      bytes.map((b, i) => (i === MiB + 5 ? b ^ 1 : b)),
      parameters,
    )
    const [one, two, three] = await Promise.all(
      ['c1', 'c2', 'c3'].map(
        async (name) => (await hdfs.call('GET', `/files/${name}`, 'GETFILECHECKSUM')).json.FileChecksum,
      ),
    )
    expect(one).toMatchObject({ algorithm: 'MD5-of-2048MD5-of-512CRC32C', length: 28 })
    expect(two).toEqual(one)
    expect(three!.bytes).not.toBe(one!.bytes)
  })

  test('come by noredirect as well', async () => {
    const { status, json } = await hdfs.call('GET', '/files/a', 'OPEN', {
      noredirect: 'true',
      offset: '2',
      length: '3',
    })
    expect(status).toBe(200)
    const to = new URL(json.Location)
    const { body } = await ask(to.host, { target: to.pathname + to.search })
    expect(body.equals(bytes.subarray(2, 5))).toBe(true)
  })
})

describe('names', () => {
  test('may have every legal character', async () => {
    const names = [
      ...[
        'a b',
        'a+b',
        'a%2Fb',
        '100%',
        'a?b',
        'a#b',
        'a&b=c',
        'a;b',
        "it's",
        'a"b',
        'a:b',
        'a@b',
        'a\\b',
        'a|b',
        'a~b',
      ],
      ...[
        'ümläut',
        '日本語',
        '\u{1F600}',
        '\t',
        'line\nbreak',
        '\u007f',
        '\u0001',
        'é',
        'e\u0301',
        '...',
        '.hidden',
        '-',
        '*',
        '[x]',
        '{y}',
        '<z>',
      ],
      'n'.repeat(255),
    ]
    for (const name of names) {
      const path = `/names/${name}`
      expect([name, (await hdfs.write(path, Buffer.from(name))).status]).toEqual([name, 201])
      expect((await hdfs.read(path)).toString()).toBe(name)
      expect((await hdfs.status(path)).length).toBe(Buffer.byteLength(name))
    }
    const { json } = await hdfs.call('GET', '/names', 'LISTSTATUS')
    const listed = json.FileStatuses.FileStatus.map((status) => status.pathSuffix)
    expect(new Set(listed)).toEqual(new Set(names))
    const moved = await hdfs.call('PUT', '/names/a b', 'RENAME', { destination: '/names/c&d=e+f %' })
    expect(moved.json).toEqual({ boolean: true })
    expect((await hdfs.read('/names/c&d=e+f %')).toString()).toBe('a b')
  })

  test('that lead elsewhere are refused, and nothing is decoded twice', async () => {
    await hdfs.write('/secret', Buffer.from('secret'))
    const user = `user.name=${process.env.USER ?? 'root'}`
    for (const path of [
      ...[
        '/../secret',
        '/a/../secret',
        '/./secret',
        '/%2e%2e/secret',
        '/a/%2e%2e/secret',
        '/..%2fsecret',
        '/%2e/secret',
      ],
      ...[
        '/sec%00ret',
        '/%ff%fe',
        '/%c0%ae%c0%ae/secret',
        '/%',
        '/%zz',
        `/${'x'.repeat(256)}`,
        `/${'d/'.repeat(300)}`,
      ],
    ]) {
      for (const [method, op] of [
        ['GET', 'GETFILESTATUS'],
        ['GET', 'OPEN'],
        ['PUT', 'MKDIRS'],
        ['DELETE', 'DELETE'],
      ] as const) {
        const answer = await ask(cluster.webHdfs, { method, target: `/webhdfs/v1${path}?op=${op}&${user}` })
        expect([path, op, answer.status, exceptionOf(answer)]).toEqual([
          path,
          op,
          400,
          'IllegalArgumentException',
        ])
      }
    }
    const twice = await ask(cluster.webHdfs, { target: `/webhdfs/v1/%2573ecret?op=GETFILESTATUS&${user}` })
    expect(exceptionOf(twice)).toBe('FileNotFoundException')
    const slash = await ask(cluster.webHdfs, {
      target: `/webhdfs/v1/names%2f100%25?op=GETFILESTATUS&${user}`,
    })
    expect(slash.status).toBe(200)
  })
})

describe('directories', () => {
  test('are made, listed by pages, summed up and removed', async () => {
    for (let i = 0; i < 12; i++) await hdfs.write(`/dirs/sub/f${String(i).padStart(4, '0')}`, Buffer.alloc(i))
    expect((await hdfs.call('PUT', '/dirs/made/deep', 'MKDIRS', { permission: '1770' })).json).toEqual({
      boolean: true,
    })
    expect(await hdfs.status('/dirs/made/deep')).toMatchObject({
      type: 'DIRECTORY',
      permission: '1770',
      length: 0,
    })
    expect(await hdfs.status('/dirs')).toMatchObject({ childrenNum: 2 })
    const { json } = await hdfs.call('GET', '/dirs/sub', 'LISTSTATUS')
    expect(json.FileStatuses.FileStatus.map((s) => s.length)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    const batch = await hdfs.call('GET', '/dirs/sub', 'LISTSTATUS_BATCH', { startAfter: 'f0009' })
    expect(
      batch.json.DirectoryListing.partialListing.FileStatuses.FileStatus.map((s) => s.pathSuffix),
    ).toEqual(['f0010', 'f0011'])
    expect(batch.json.DirectoryListing.remainingEntries).toBe(0)
    const file = await hdfs.call('GET', '/dirs/sub/f0003', 'LISTSTATUS')
    expect(file.json.FileStatuses.FileStatus).toMatchObject([{ pathSuffix: '', length: 3 }])
    const summed = await hdfs.call('GET', '/dirs', 'GETCONTENTSUMMARY')
    expect(summed.json.ContentSummary).toMatchObject({
      fileCount: 12,
      directoryCount: 4,
      length: 66,
      quota: -1,
    })
    const quota = await hdfs.call('GET', '/dirs', 'GETQUOTAUSAGE')
    expect(quota.json.QuotaUsage).toMatchObject({ fileAndDirectoryCount: 16, spaceConsumed: 66 })
    expect(exceptionOf(await hdfs.call('DELETE', '/dirs', 'DELETE'))).toBe('PathIsNotEmptyDirectoryException')
    expect((await hdfs.call('DELETE', '/dirs', 'DELETE', { recursive: 'true' })).json).toEqual({
      boolean: true,
    })
    expect((await hdfs.call('DELETE', '/dirs', 'DELETE')).json).toEqual({ boolean: false })
  })

  test('of many pages are sent whole, and by batches', async () => {
    const fs = await cluster.connect()
    const names = Array.from({ length: 2500 }, (_, i) => `n${String(i).padStart(5, '0')}`)
    await fs.mkdir('/many')
    for (let i = 0; i < names.length; i += 100)
      await Promise.all(
        names.slice(i, i + 100).map((name) => fs.createEmpty(`/many/${name}`, { writeType: 'MUST_CACHE' })),
      )
    const { json } = await hdfs.call('GET', '/many', 'LISTSTATUS')
    expect(json.FileStatuses.FileStatus.map((s) => s.pathSuffix)).toEqual(names)
    const found: string[] = []
    for (let remaining = 1, startAfter = ''; remaining > 0; ) {
      const batch = (await hdfs.call('GET', '/many', 'LISTSTATUS_BATCH', { startAfter })).json
        .DirectoryListing
      for (const status of batch.partialListing.FileStatuses.FileStatus) found.push(status.pathSuffix)
      remaining = batch.remainingEntries
      startAfter = found.at(-1)!
    }
    expect(found).toEqual(names)
  })

  test('take renamed files as HDFS has it', async () => {
    for (const name of ['a', 'b', 'c']) await hdfs.write(`/ren/${name}`, Buffer.from(name))
    await hdfs.call('PUT', '/ren/dir', 'MKDIRS')
    const rename = (from: string, to: string, more = {}) =>
      hdfs.call('PUT', from, 'RENAME', { destination: to, ...more })
    expect((await rename('/ren/a', '/ren/dir')).json).toEqual({ boolean: true })
    expect((await hdfs.read('/ren/dir/a')).toString()).toBe('a')
    for (const [from, to] of [
      ['/ren/b', '/ren/c'],
      ['/ren/none', '/ren/x'],
      ['/ren/dir', '/ren/dir/in'],
      ['/', '/x'],
      ['/ren/b', '/no/where'],
    ] as const)
      expect([from, (await rename(from, to)).json]).toEqual([from, { boolean: false }])
    expect((await rename('/ren/b', '/ren/b')).json).toEqual({ boolean: true })
    expect(exceptionOf(await rename('/ren/b', '/ren/c', { renameoptions: 'NONE' }))).toBe(
      'FileAlreadyExistsException',
    )
    expect((await rename('/ren/b', '/ren/c', { renameoptions: 'OVERWRITE' })).status).toBe(200)
    expect((await hdfs.read('/ren/c')).toString()).toBe('b')
    expect(exceptionOf(await rename('/ren/none', '/ren/x', { renameoptions: 'NONE' }))).toBe(
      'FileNotFoundException',
    )
    expect(exceptionOf(await rename('/ren/c', '/ren/x', { renameoptions: 'SOMETIMES' }))).toBe(
      'IllegalArgumentException',
    )
  })
})

describe('an overwriting rename', () => {
  const options = { renameoptions: 'OVERWRITE' }

  test.each([
    ['neither', false, false],
    ['the target', false, true],
    ['the source', true, false],
    ['both', true, true],
  ])('is right in the under-store when %s is there already', async (name, sourceStored, targetStored) => {
    const fs = await cluster.connect()
    const write = async (path: string, text: string, stored: boolean) => {
      const writer = await fs.create(path, { writeType: stored ? 'CACHE_THROUGH' : 'MUST_CACHE' })
      await writer.write(Buffer.from(text))
      await writer.close()
    }
    const [source, target] = [`/over/${name}/source`, `/over/${name}/target`]
    await write(source, 'new', sourceStored)
    await write(target, 'older', targetStored)
    const renamed = await hdfs.call('PUT', source, 'RENAME', { destination: target, ...options })
    expect(renamed.status).toBe(200)
    expect((await hdfs.read(target)).toString()).toBe('new')
    expect(await hdfs.status(source)).toBeUndefined()
    const stored = (path: string) =>
      readFile(join(cluster.folder, 'ufs', path), 'utf8').catch(() => undefined)
    expect(await stored(source)).toBeUndefined()
    expect(await stored(target)).toBe(sourceStored ? 'new' : undefined)
  })

  test.each([false, true])(
    'goes where a persist was under way (deleted before: %s)',
    async (deletes) => {
      const fs = await cluster.connect()
      const bytes = patternBytes(31, 4 * MiB)
      for (let i = 0; i < 15; i++) {
        const [source, target] = [`/under-way/${deletes}/s${i}`, `/under-way/${deletes}/t${i}`]
        await writeWhole(fs, source, Buffer.from(`new ${i}`), 'CACHE_THROUGH')
        await writeWhole(fs, target, bytes, 'ASYNC_THROUGH')
        await pause(i)
        if (deletes) await fs.delete(target)
        await fs.rename(source, target, { overwrite: !deletes })
        expect((await hdfs.read(target)).toString()).toBe(`new ${i}`)
        expect(await readFile(join(cluster.folder, 'ufs', target), 'utf8')).toBe(`new ${i}`)
      }
    },
    60_000,
  )

  test('replaces empty directories, and nothing of another kind', async () => {
    await hdfs.call('PUT', '/over/a/sub', 'MKDIRS')
    await hdfs.call('PUT', '/over/b', 'MKDIRS')
    await hdfs.write('/over/f', Buffer.from('f'))
    const rename = (from: string, to: string) =>
      hdfs.call('PUT', from, 'RENAME', { destination: to, ...options })
    expect(exceptionOf(await rename('/over/b', '/over/a'))).toBe('IOException')
    expect(exceptionOf(await rename('/over/f', '/over/b'))).toBe('IOException')
    expect(exceptionOf(await rename('/over/b', '/over/f'))).toBe('IOException')
    expect((await rename('/over/a', '/over/b')).status).toBe(200)
    expect(await hdfs.status('/over/b/sub')).toMatchObject({ type: 'DIRECTORY' })
    expect(await hdfs.status('/over/a')).toBeUndefined()
  })
})

describe('attributes', () => {
  test('owner, mode, times and replication change', async () => {
    await hdfs.write('/attr/f', Buffer.from('x'))
    expect((await hdfs.call('PUT', '/attr/f', 'SETPERMISSION', { permission: '1751' })).status).toBe(200)
    expect((await hdfs.call('PUT', '/attr/f', 'SETOWNER', { owner: 'alice', group: 'staff' })).status).toBe(
      200,
    )
    const times = { modificationtime: '1600000000123', accesstime: '-1' }
    expect((await hdfs.call('PUT', '/attr/f', 'SETTIMES', times)).status).toBe(200)
    expect((await hdfs.call('PUT', '/attr/f', 'SETREPLICATION', { replication: '3' })).json).toEqual({
      boolean: true,
    })
    expect((await hdfs.call('PUT', '/attr', 'SETREPLICATION', { replication: '3' })).json).toEqual({
      boolean: false,
    })
    expect(await hdfs.status('/attr/f')).toMatchObject({
      ...{
        permission: '1751',
        owner: 'alice',
        group: 'staff',
        modificationTime: 1600000000123,
        replication: 3,
      },
    })
  })

  test('extended ones in all encodings, with their flags', async () => {
    await hdfs.write('/attr/x', Buffer.from('x'))
    const set = (name: string, value: string, flag = '') =>
      hdfs.call('PUT', '/attr/x', 'SETXATTR', { 'xattr.name': name, 'xattr.value': value, flag })
    const get = async (parameters: Record<string, string> = {}) =>
      (await hdfs.call('GET', '/attr/x', 'GETXATTRS', parameters)).json.XAttrs
    expect((await set('user.hex', '0x00ff7f', 'CREATE')).status).toBe(200)
    expect((await set('user.b64', '0sAAEC', 'CREATE')).status).toBe(200)
    expect((await set('USER.text', '"a \\ b"')).status).toBe(200)
    expect(await get({ encoding: 'hex', 'xattr.name': 'user.hex' })).toEqual([
      { name: 'user.hex', value: '0x00ff7f' },
    ])
    expect(await get({ encoding: 'BASE64', 'xattr.name': 'user.b64' })).toEqual([
      { name: 'user.b64', value: '0sAAEC' },
    ])
    expect(await get({ 'xattr.name': 'user.text' })).toEqual([{ name: 'user.text', value: '"a \\ b"' }])
    expect(exceptionOf(await set('user.hex', '0x01', 'CREATE'))).toBe('IOException')
    expect(exceptionOf(await set('user.new', '0x01', 'REPLACE'))).toBe('IOException')
    expect((await set('user.hex', '0x01', 'REPLACE')).status).toBe(200)
    expect(exceptionOf(await set('system.own', '0x01'))).toBe('IllegalArgumentException')
    expect(exceptionOf(await set('user.bad', '0x0'))).toBe('IllegalArgumentException')
    const names = (await hdfs.call('GET', '/attr/x', 'LISTXATTRS')).json.XAttrNames
    expect(JSON.parse(names).sort()).toEqual(['user.b64', 'user.hex', 'user.text'])
    expect((await hdfs.call('PUT', '/attr/x', 'REMOVEXATTR', { 'xattr.name': 'user.hex' })).status).toBe(200)
    expect(exceptionOf(await hdfs.call('PUT', '/attr/x', 'REMOVEXATTR', { 'xattr.name': 'user.hex' }))).toBe(
      'IOException',
    )
    expect(exceptionOf(await hdfs.call('GET', '/attr/x', 'GETXATTRS', { 'xattr.name': 'user.hex' }))).toBe(
      'XAttrNotFoundException',
    )
  })

  test('access lists', async () => {
    await hdfs.call('PUT', '/attr/acl', 'MKDIRS', { permission: '750' })
    const change = (op: string, aclspec = '') =>
      hdfs.call('PUT', '/attr/acl', op, aclspec === '' ? {} : { aclspec })
    const list = async () => (await hdfs.call('GET', '/attr/acl', 'GETACLSTATUS')).json.AclStatus
    expect((await change('MODIFYACLENTRIES', 'user:bob:r-x,default:group:dev:rwx')).status).toBe(200)
    expect((await list()).entries).toEqual([
      ...['user:bob:r-x', 'group::r-x'],
      ...[
        'default:user::rwx',
        'default:group::r-x',
        'default:group:dev:rwx',
        'default:mask::rwx',
        'default:other::---',
      ],
    ])
    expect(await hdfs.status('/attr/acl')).toMatchObject({ aclBit: true })
    expect((await change('REMOVEACLENTRIES', 'user:bob:')).status).toBe(200)
    expect((await change('REMOVEDEFAULTACL')).status).toBe(200)
    expect((await list()).entries).toEqual([])
    expect((await change('SETACL', 'user::rwx,user:eve:---,group::r--,other::---')).status).toBe(200)
    expect(await list()).toMatchObject({ entries: ['user:eve:---', 'group::r--'], stickyBit: false })
    expect((await change('REMOVEACL')).status).toBe(200)
    expect((await list()).entries).toEqual([])
    expect(exceptionOf(await change('SETACL', 'nonsense'))).toBe('IllegalArgumentException')
  })
})

describe('the rest', () => {
  test('home, trash, defaults, space and policies', async () => {
    const user = process.env.USER ?? 'root'
    expect((await hdfs.call('GET', '/', 'GETHOMEDIRECTORY')).json).toEqual({ Path: `/user/${user}` })
    expect((await hdfs.call('GET', '/x', 'GETTRASHROOT')).json).toEqual({ Path: `/user/${user}/.Trash` })
    expect((await hdfs.call('GET', '/', 'GETTRASHROOTS')).json).toEqual({ Paths: [] })
    expect((await hdfs.call('GET', '/', 'GETSERVERDEFAULTS')).json.FsServerDefaults).toMatchObject({
      blockSize: 64 * MiB,
    })
    expect((await hdfs.call('GET', '/', 'GETSTATUS')).json.FsStatus.capacity).toBe(256 * MiB)
    expect((await hdfs.call('GET', '/', 'GETSTORAGEPOLICY')).json.BlockStoragePolicy.name).toBe('HOT')
    expect((await hdfs.call('GET', '/', 'GETALLSTORAGEPOLICY')).json.BlockStoragePolicies).toBeDefined()
  })

  test('what is not there is refused in the words that clients know', async () => {
    const unknown = await hdfs.call('GET', '/', 'GETFILEBLOCKLOCATION')
    expect(unknown.status).toBe(400)
    expect(unknown.json.RemoteException).toMatchObject({
      javaClassName: 'java.lang.IllegalArgumentException',
      message: expect.stringMatching(/Invalid value for webhdfs parameter "op".*GETFILEBLOCKLOCATION$/),
    })
    expect(exceptionOf(await hdfs.call('GET', '/', 'MKDIRS'))).toBe('IllegalArgumentException')
    expect(exceptionOf(await hdfs.call('PUT', '/', 'ALLOWSNAPSHOT'))).toBe('UnsupportedOperationException')
  })

  test('no input makes a server error', async () => {
    const user = `user.name=${process.env.USER ?? 'root'}`
    await hdfs.write('/odd', Buffer.from('odd'))
    const values = [
      '',
      '-1',
      '1e3',
      '99999999999999999999',
      '0x10',
      'null',
      'true',
      '%00',
      '%ff',
      '"',
      '../..',
      'x'.repeat(5000),
    ]
    const asked: [string, string, string[]][] = [
      ['GET', 'OPEN', ['offset', 'length', 'buffersize']],
      ['GET', 'LISTSTATUS_BATCH', ['startAfter']],
      ['GET', 'GETFILEBLOCKLOCATIONS', ['offset', 'length']],
      ['GET', 'GETXATTRS', ['xattr.name', 'encoding']],
      ['GET', 'CHECKACCESS', ['fsaction']],
      ['PUT', 'CREATE', ['overwrite', 'blocksize', 'permission', 'createflag', 'createparent']],
      ['PUT', 'MKDIRS', ['permission']],
      ['PUT', 'RENAME', ['destination', 'renameoptions']],
      ['PUT', 'SETTIMES', ['modificationtime']],
      ['PUT', 'SETREPLICATION', ['replication']],
      ['PUT', 'SETXATTR', ['xattr.name', 'xattr.value', 'flag']],
      ['PUT', 'SETACL', ['aclspec']],
      ['PUT', 'RENEWDELEGATIONTOKEN', ['token']],
      ['POST', 'TRUNCATE', ['newlength']],
      ['POST', 'CONCAT', ['sources']],
    ]
    for (const [method, op, names] of asked) {
      for (const name of names) {
        for (const value of values) {
          const target = `/webhdfs/v1/odd?op=${op}&${user}&${name}=${value}`
          const { status } = await ask(cluster.webHdfs, {
            method,
            target,
            follow: true,
            body: Buffer.from('b'),
          })
          expect([target.slice(0, 200), status < 500]).toEqual([target.slice(0, 200), true])
        }
      }
    }
  })
})
