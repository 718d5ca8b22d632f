/** Every `fs` and `fsadmin` command against a real cluster: good path, exact form, --json. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Place } from './command.ts'

let place: Place
const user = userInfo().username
const DATE = '\\d\\d-\\d\\d-\\d{4} \\d\\d:\\d\\d:\\d\\d:\\d{3}'
const ufs = (path: string) => join(place.folder, 'data', 'underFSStorage', path)
const local = (path: string) => join(place.folder, 'local', path)

beforeAll(async () => {
  place = await Place.make()
  await place.ok('start', 'local', ...place.tier)
  mkdirSync(local('tree/sub'), { recursive: true })
  writeFileSync(local('hello.txt'), 'hello\n')
  writeFileSync(local('empty'), '')
  writeFileSync(local('numbers'), Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251)))
  writeFileSync(local('tree/a.csv'), 'a,b\n1,2\n')
  writeFileSync(local('tree/sub/b.csv'), 'c,d\n')
  writeFileSync(local('tree/odd % #name ü.csv'), 'x\n')
}, 120_000)
afterAll(() => place?.dispose())

describe('making and listing', () => {
  test('mkdir, ls: the exact columns, sizes, sorts', async () => {
    expect(await place.ok('fs', 'mkdir', '/dir', '/dir/deep/er')).toBe(
      'Successfully created directory /dir\nSuccessfully created directory /dir/deep/er\n',
    )
    await place.ok(
      'fs',
      'copyFromLocal',
      '-Dalluxio.user.file.writetype.default=MUST_CACHE',
      local('hello.txt'),
      '/dir/b.txt',
    )
    await place.ok(
      'fs',
      'copyFromLocal',
      '-Dalluxio.user.file.writetype.default=CACHE_THROUGH',
      local('numbers'),
      '/dir/a.bin',
    )
    const lines = (await place.ok('fs', 'ls', '/dir')).split('\n')
    const who = `${user.padEnd(15)}\\S+\\s+`
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(
      new RegExp(`^-rw-r--r--  ${who}\\s*5000       PERSISTED ${DATE} 100% /dir/a\\.bin$`),
    )
    expect(lines[1]).toMatch(
      new RegExp(`^-rw-r--r--  ${who}\\s*6   NOT_PERSISTED ${DATE} 100% /dir/b\\.txt$`),
    )
    expect(lines[2]).toMatch(new RegExp(`^drwxr-xr-x  ${who}\\s*1 {3,}\\S+ ${DATE}  DIR /dir/deep$`))
    // The columns of upstream's %-12s%-15s%-15s%15s%16s%24s%5s %-5s.
    for (const line of lines.slice(0, 3)) {
      expect(line.slice(0, 12).trim()).toHaveLength(10)
      expect(line.slice(12, 27)).toBe(user.padEnd(15))
      expect(line.slice(42, 57)).toMatch(/^ +\d+$/)
      expect(line.slice(57, 73)).toMatch(/^ +[A-Z_]+$/)
      expect(line.slice(73, 97)).toMatch(new RegExp(`^ ${DATE}$`))
      expect(line.slice(97, 103)).toMatch(/^( {1,3}\d+%| {2}DIR) $/)
      expect(line.slice(103)).toMatch(/^\/dir\//)
    }
    const paths = async (...options: string[]) =>
      (await place.ok('fs', 'ls', ...options))
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(line.indexOf('/dir')).trim())
    expect(await paths('-R', '/dir')).toEqual(['/dir/a.bin', '/dir/b.txt', '/dir/deep', '/dir/deep/er'])
    expect(await paths('--sort=size', '-r', '/dir')).toEqual(['/dir/a.bin', '/dir/b.txt', '/dir/deep'])
    expect(await paths('--sort=name', '/dir')).toEqual(['/dir/a.bin', '/dir/b.txt', '/dir/deep'])
    expect(await paths('-d', '/dir')).toEqual(['/dir'])
    expect(await paths('/dir/a.bin', '/dir/b.txt')).toEqual(['/dir/a.bin', '/dir/b.txt'])
    expect(await paths('/d*r/*.b*')).toEqual(['/dir/a.bin'])
    expect(await place.ok('fs', 'ls', '-h', '/dir/a.bin')).toContain('         4.88KB       PERSISTED')
    expect(
      (
        await place.ok('fs', 'ls', '-Dalluxio.security.authorization.permission.enabled=false', '/dir/a.bin')
      ).slice(0, 16),
    ).toBe('           5000 ')
  })

  test('ls --json and --json-lines are the same items', async () => {
    const list = await place.json<Record<string, unknown>[]>('fs', 'ls', '-R', '/dir')
    expect(list.map(({ path }) => path)).toEqual(['/dir/a.bin', '/dir/b.txt', '/dir/deep', '/dir/deep/er'])
    expect(list[0]).toMatchObject({
      name: 'a.bin',
      folder: false,
      length: 5000,
      persistenceState: 'PERSISTED',
      owner: user,
      inAlluxioPercentage: 100,
    })
    const ndjson = await place.ok('fs', 'ls', '-R', '/dir', '--json-lines')
    expect(
      ndjson
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(list)
    await place.ok('fs', 'mkdir', '/none')
    expect(await place.json('fs', 'ls', '/none')).toEqual([])
    expect(await place.ok('fs', 'ls', '/none')).toBe('')
  })

  test('several paths: the good ones are printed, the failure decides', async () => {
    const ran = await place.run(['fs', 'ls', '/dir/a.bin', '/missing', '/dir/b.txt'])
    expect(ran.status).toBe(66)
    expect(ran.stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(ran.stderr).toContain('/missing')
    expect(await place.run(['fs', 'ls', '/missing*'])).toMatchObject({
      status: 66,
      stdout: '',
      stderr: '/missing* does not exist.\n',
    })
  })

  test('touch, test, rm', async () => {
    expect(await place.ok('fs', 'touch', '/touched')).toBe('/touched has been created\n')
    expect(statSync(ufs('touched')).size).toBe(0)
    const status = async (...words: string[]) => (await place.run(['fs', 'test', ...words])).status
    expect(
      await Promise.all([
        status('-e', '/touched'),
        status('-z', '/touched'),
        status('-f', '/touched'),
        status('-d', '/dir'),
      ]),
    ).toEqual([0, 0, 0, 0])
    expect(
      await Promise.all([
        status('-d', '/touched'),
        status('-s', '/touched'),
        status('-e', '/nope'),
        status('-s', '/none'),
      ]),
    ).toEqual([1, 1, 1, 1])
    expect(await place.run(['fs', 'test', '-s', '/dir'])).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await place.run(['fs', 'touch', '/touched'])).toMatchObject({ status: 73, stdout: '' })
    expect(await place.ok('fs', 'rm', '/touched')).toBe('/touched has been removed\n')
    expect(existsSync(ufs('touched'))).toBe(false)
    expect(await place.run(['fs', 'rm', '/none'])).toMatchObject({
      status: 65,
      stdout: '',
      stderr: expect.stringContaining(
        '/none is a directory, to remove it, please use "rm -R/-r/--recursive <path>"',
      ),
    })
    expect(await place.ok('fs', 'rm', '-r', '/none')).toBe('/none has been removed\n')
    expect(await place.run(['fs', 'rmr', '/none'])).toMatchObject({
      status: 66,
      stderr: expect.stringContaining('WARNING: rmr is deprecated. Please use rm -R instead.'),
    })
  })

  test('mv keeps the content; existing and missing paths are told apart', async () => {
    expect(await place.ok('fs', 'mv', '/dir/b.txt', '/dir/c.txt')).toBe('Renamed /dir/b.txt to /dir/c.txt\n')
    expect(await place.ok('fs', 'cat', '/dir/c.txt')).toBe('hello\n')
    expect((await place.run(['fs', 'mv', '/dir/b.txt', '/x'])).status).toBe(66)
    expect((await place.run(['fs', 'mv', '/dir/c.txt', '/dir/a.bin'])).status).toBe(73)
    expect(await place.json('fs', 'mv', '/dir/c.txt', '/dir/b.txt')).toEqual({
      src: '/dir/c.txt',
      dst: '/dir/b.txt',
      renamed: true,
    })
  })
})

describe('reading', () => {
  test('cat, head, tail, checksum', async () => {
    const bytes = readFileSync(local('numbers'))
    const raw = execFileSync(resolve('bin/alluxio'), ['fs', 'cat', '/dir/a.bin'], { env: { ...place.env } })
    expect(raw.equals(bytes)).toBe(true)
    expect(await place.ok('fs', 'cat', '/dir/b.txt', '/dir/b.*')).toBe('hello\nhello\n')
    expect(await place.ok('fs', 'head', '-c', '3', '/dir/b.txt')).toBe('hel')
    expect(await place.ok('fs', 'tail', '-c', '3', '/dir/b.txt')).toBe('lo\n')
    expect(
      (await place.json<{ bytes: number; offset: number }[]>('fs', 'tail', '-c', '1KB', '/dir/a.bin'))[0],
    ).toMatchObject({ bytes: 1024, offset: 3976, length: 5000 })
    expect((await place.json<{ base64: string }[]>('fs', 'cat', '/dir/b.txt'))[0]?.base64).toBe(
      Buffer.from('hello\n').toString('base64'),
    )
    const md5 = createHash('md5').update(bytes).digest('hex')
    expect(await place.ok('fs', 'checksum', '/dir/a.bin')).toBe(`md5sum: ${md5}\n\n`)
    expect((await place.run(['fs', 'cat', '/dir'])).status).toBe(65)
  })

  test('a reader that goes away ends cat silently, a signal at once', async () => {
    writeFileSync(local('big'), randomBytes(40 * 2 ** 20))
    await place.ok(
      'fs',
      'copyFromLocal',
      '-Dalluxio.user.file.writetype.default=MUST_CACHE',
      local('big'),
      '/big',
    )
    const script = `set -o pipefail; '${resolve('bin/alluxio')}' fs cat /big 2>${local('stderr')} | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`
    const out = execFileSync('bash', ['-c', script], { env: { ...place.env }, encoding: 'utf8' })
    expect(out.trim().split(/\s+/)).toEqual(['10', '0'])
    expect(readFileSync(local('stderr'), 'utf8')).toBe('')
    // The reader does not read, so that cat waits in its write when the signal comes.
    const cat = spawn(
      'sh',
      ['-c', `'${resolve('bin/alluxio')}' fs cat /big & echo $! >&2; wait $!; echo $? >&2`],
      {
        env: { ...place.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const words: string[] = []
    const ended = new Promise((done) =>
      cat.stderr.on('data', (chunk) => words.push(...String(chunk).trim().split('\n'))).once('close', done),
    )
    await new Promise((done) => cat.stdout.once('readable', done))
    process.kill(Number(words[0]), 'SIGTERM')
    cat.stdout.resume()
    await ended
    expect(words).toContain('143')
  }, 30_000)

  test('SIGINT while a copy runs ends it with 130 and leaves nothing', async () => {
    writeFileSync(local('huge'), '')
    truncateSync(local('huge'), 20 * 2 ** 30)
    const ran = await place.run(
      ['fs', 'copyFromLocal', '-Dalluxio.user.file.writetype.default=THROUGH', local('huge'), '/huge'],
      {
        onStart: (kill) => setTimeout(() => kill('SIGINT'), 1500),
      },
    )
    expect(ran).toMatchObject({ status: 130, stdout: '' })
    expect((await place.run(['fs', 'test', '-e', '/huge'])).status).toBe(1)
  }, 60_000)
})

describe('copying', () => {
  test('a tree in and out again, with odd names', async () => {
    expect(await place.ok('fs', 'copyFromLocal', local('tree'), '/tree')).toBe(
      `Copied ${local('tree')} to /tree\n`,
    )
    expect((await place.json<{ path: string }[]>('fs', 'ls', '-R', '/tree')).map(({ path }) => path)).toEqual(
      ['/tree/a.csv', '/tree/odd % #name ü.csv', '/tree/sub', '/tree/sub/b.csv'],
    )
    expect(await place.ok('fs', 'copyToLocal', '/tree', local('back'))).toBe(
      `Copied /tree to ${local('back')}\n`,
    )
    const content = (folder: string) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .sort()
        .map((name) => [
          name,
          statSync(join(folder, name)).isFile() ? readFileSync(join(folder, name), 'utf8') : '',
        ])
    expect(content(local('back'))).toEqual(content(local('tree')))
  })

  test('files into a directory, wildcards, an empty file, existing targets', async () => {
    expect(await place.ok('fs', 'copyFromLocal', `${local('tree')}/*.csv`, '/dir')).toContain(
      `Copied ${local('tree/a.csv')} to /dir/a.csv\n`,
    )
    expect(await place.ok('fs', 'copyFromLocal', local('empty'), '/dir')).toBe(
      `Copied ${local('empty')} to /dir/empty\n`,
    )
    expect(await place.ok('fs', 'cat', '/dir/empty')).toBe('')
    expect((await place.run(['fs', 'copyFromLocal', local('empty'), '/dir/empty'])).status).toBe(73)
    expect(await place.run(['fs', 'copyFromLocal', local('nothing'), '/x'])).toMatchObject({
      status: 66,
      stdout: '',
    })
    mkdirSync(local('into'))
    await place.ok('fs', 'copyToLocal', '/dir/*.csv', local('into'))
    expect(readdirSync(local('into')).sort()).toEqual(['a.csv', 'odd % #name ü.csv'])
    expect((await place.run(['fs', 'copyToLocal', '/missing', local('missing')])).status).toBe(66)
    expect(existsSync(local('missing'))).toBe(false)
  })

  test('cp within the namespace and by file://', async () => {
    expect(await place.ok('fs', 'cp', '/dir/b.txt', '/copy.txt')).toBe('Copied /dir/b.txt to /copy.txt\n')
    expect(await place.ok('fs', 'cat', '/copy.txt')).toBe('hello\n')
    expect((await place.run(['fs', 'cp', '/tree', '/tree2'])).stderr).toContain(
      'cp -R/-r/--recursive <src> <dst>',
    )
    await place.ok('fs', 'cp', '-R', '/tree', '/tree2')
    expect((await place.json<unknown[]>('fs', 'ls', '-R', '/tree2')).length).toBe(4)
    await place.ok('fs', 'cp', `file://${local('hello.txt')}`, '/from-file')
    await place.ok('fs', 'cp', '/from-file', `file://${local('to-file')}`)
    expect(readFileSync(local('to-file'), 'utf8')).toBe('hello\n')
    expect((await place.run(['fs', 'cp', '-R', '/tree', '/tree/inside'])).status).toBe(64)
  })
})

describe('what is known of a path', () => {
  test('stat in all its forms', async () => {
    const text = await place.ok('fs', 'stat', '/dir/a.bin')
    expect(text).toMatch(
      /^\/dir\/a\.bin is a file path\.\nFileInfo\{.*fileId=\d+.*\}\nContaining the following blocks: \nFileBlockInfo\{blockId=\d+, offset=0, length=5000/,
    )
    expect(await place.ok('fs', 'stat', '/dir')).toMatch(/^\/dir is a directory path\.\n/)
    const [facts] = await place.json<
      { fileId: number; lastModificationTimeMs: number; fileBlockInfos: unknown[] }[]
    >('fs', 'stat', '/dir/a.bin')
    expect(facts?.fileBlockInfos).toHaveLength(1)
    expect(await place.ok('fs', 'stat', '-f', '%N;%z;%u;%i;%Y;%b', '/dir/a.bin')).toBe(
      `a.bin;5000;${user};${facts?.fileId};${facts?.lastModificationTimeMs};1\n`,
    )
    expect(await place.ok('fs', 'stat', '-f', '%y', '/dir/a.bin')).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$/,
    )
    expect(await place.ok('fs', 'stat', '-f', '%N %b', '/dir')).toBe('dir NA\n')
    expect(await place.run(['fs', 'stat', '-f', '%q', '/dir'])).toMatchObject({ status: 64, stdout: '' })
    expect(await place.ok('fs', 'stat', '--file-id', String(facts?.fileId), '-f', '%N')).toBe('a.bin\n')
    const [folder] = await place.json<{ fileId: number }[]>('fs', 'stat', '/dir')
    expect(await place.ok('fs', 'stat', '--file-id', String(folder?.fileId))).toMatch(
      /^\/dir is a directory path\./,
    )
    const stranger = ['fs', 'stat', '-Dalluxio.security.login.username=stranger', '--file-id']
    await place.ok('fs', 'chmod', '700', '/dir')
    expect((await place.run([...stranger, String(facts?.fileId)])).status).toBe(77)
    await place.ok('fs', 'chmod', '755', '/dir')
    expect((await place.run([...stranger, String(facts?.fileId)])).status).toBe(0)
    for (const absent of ['8000000', String(Number.MAX_SAFE_INTEGER)])
      expect(await place.run(['fs', 'stat', '--file-id', absent])).toMatchObject({
        status: 66,
        stderr: expect.stringContaining(`no file has id ${absent}`),
      })
  })

  test('count, du, location', async () => {
    await place.ok('fs', 'mkdir', '/sum/in')
    for (const name of ['one', 'in/two']) {
      await place.ok(
        'fs',
        'copyFromLocal',
        '-Dalluxio.user.file.writetype.default=MUST_CACHE',
        local('numbers'),
        `/sum/${name}`,
      )
    }
    expect(await place.ok('fs', 'count', '/sum')).toMatch(
      /^File Count {15}Folder Count {13}Folder Size {4}\n2 {24}[12] {24}10000 {10}\n$/,
    )
    expect(await place.json('fs', 'count', '/sum')).toEqual([
      { path: '/sum', files: 2, folders: expect.any(Number), bytes: 10_000 },
    ])
    expect(await place.ok('fs', 'du', '/sum')).toBe(
      [
        'File Size     In Alluxio       Path',
        '5000          5000 (100%)      /sum/in/two',
        '5000          5000 (100%)      /sum/one',
        '',
      ].join('\n'),
    )
    expect(await place.ok('fs', 'du', '-m', '-s', '/sum')).toBe(
      'File Size     In Alluxio       In Memory        Path\n10000         10000 (100%)     10000 (100%)     /sum\n',
    )
    expect(await place.ok('fs', 'du', '-h', '-s', '/sum')).toContain('9.77KB        9.77KB (100%)    /sum\n')
    expect(await place.ok('fs', 'du', '-g', '/sum/one')).toBe(
      [
        'File Size     In Alluxio       Worker Host Name          Path',
        '5000          5000 (100%)      total                     /sum/one',
        '              5000 (100%)      127.0.0.1                 ',
        '',
      ].join('\n'),
    )
    const [{ fileId }] = (await place.json<{ fileId: number }[]>('fs', 'stat', '/sum/one')) as [
      { fileId: number },
    ]
    expect(await place.ok('fs', 'location', '/sum/one')).toBe(
      `/sum/one with file id ${fileId} is on nodes: \n127.0.0.1\n`,
    )
  })

  test('chmod, chown, chgrp, pin, ttl', async () => {
    expect(await place.ok('fs', 'chmod', '640', '/copy.txt')).toBe('Changed permission of /copy.txt to 640\n')
    expect(await place.ok('fs', 'chown', 'alice:staff', '/copy.txt')).toBe(
      'Changed owner:group of /copy.txt to alice:staff.\n',
    )
    expect(await place.ok('fs', 'chown', 'bob', '/copy.txt')).toBe('Changed owner of /copy.txt to bob\n')
    expect(await place.ok('fs', 'chgrp', '-R', 'users', '/tree2')).toBe('Changed group of /tree2 to users\n')
    expect(await place.ok('fs', 'stat', '-f', '%u:%g', '/copy.txt')).toBe('bob:staff\n')
    expect(await place.ok('fs', 'stat', '-f', '%g', '/tree2/sub/b.csv')).toBe('users\n')
    expect(await place.ok('fs', 'ls', '/copy.txt')).toMatch(/^-rw-r----- {2}bob {12}staff /)
    expect(await place.ok('fs', 'pin', '/copy.txt')).toBe("File '/copy.txt' was successfully pinned.\n")
    expect(await place.json('fs', 'ls', '-p', '/')).toMatchObject([{ path: '/copy.txt', pinned: true }])
    expect(await place.ok('fs', 'unpin', '/copy.txt')).toBe("File '/copy.txt' was successfully unpinned.\n")
    expect(await place.ok('fs', 'setTtl', '--action', 'free', '/copy.txt', '1d')).toBe(
      "TTL of path '/copy.txt' was successfully set to 86400000 milliseconds, with expiry action set to FREE\n",
    )
    expect(await place.json('fs', 'stat', '/copy.txt')).toMatchObject([
      { ttl: 86_400_000, ttlAction: 'FREE' },
    ])
    expect(await place.ok('fs', 'unsetTtl', '/copy.txt')).toBe(
      "TTL of file '/copy.txt' was successfully removed.\n",
    )
    expect(await place.json('fs', 'stat', '/copy.txt')).toMatchObject([{ ttl: -1 }])
  })
})

describe('cache and under-store', () => {
  test('persist, free, load', async () => {
    await place.ok(
      'fs',
      'copyFromLocal',
      '-Dalluxio.user.file.writetype.default=MUST_CACHE',
      local('numbers'),
      '/keep',
    )
    expect(existsSync(ufs('keep'))).toBe(false)
    expect((await place.run(['fs', 'free', '/keep'])).status).not.toBe(0)
    expect(await place.ok('fs', 'persist', '/keep')).toBe('persisted file /keep with size 5000\n')
    expect(readFileSync(ufs('keep')).equals(readFileSync(local('numbers')))).toBe(true)
    expect(await place.ok('fs', 'free', '/keep')).toBe('/keep was successfully freed from Alluxio space.\n')
    expect(await place.json('fs', 'stat', '/keep')).toMatchObject([
      { inAlluxioPercentage: 0, persisted: true },
    ])
    expect(await place.ok('fs', 'load', '/keep')).toBe('/keep loaded\n')
    expect(await place.json('fs', 'stat', '/keep')).toMatchObject([{ inAlluxioPercentage: 100 }])
    expect(await place.ok('fs', 'load', '/keep')).toBe('/keep already in Alluxio fully\n')
    expect(await place.ok('fs', 'load', '--local', '/keep')).toBe('/keep already in Alluxio fully\n')
    mkdirSync(ufs('many'))
    for (let i = 0; i < 50; i++) writeFileSync(ufs(`many/${i}`), `file ${i}\n`)
    const loaded = (await place.json('fs', 'load', '--local', '/many')) as { loaded: boolean }[]
    expect([loaded.length, loaded.every(({ loaded }) => loaded)]).toEqual([50, true])
    expect(await place.json('fs', 'stat', '/many')).toMatchObject([{ inAlluxioPercentage: 100 }])
    await place.ok('fs', 'rm', '-R', '/many')
  })

  test('mount, the list of mounts, read-only, unmount', async () => {
    mkdirSync(local('store'))
    writeFileSync(local('store/there.txt'), 'there\n')
    expect(await place.ok('fs', 'mount', '--readonly', '/mnt', `file://${local('store')}`)).toBe(
      `Mounted file://${local('store')} at /mnt\n`,
    )
    expect(await place.ok('fs', 'cat', '/mnt/there.txt')).toBe('there\n')
    const list = await place.ok('fs', 'mount')
    expect(list).toMatch(
      / on \/mnt +\((local|file), capacity=\S+, used=\S+, read-only, not shared, properties=\{\}\)$/m,
    )
    expect(list).toMatch(
      / on \/ +\((local|file), capacity=\S+, used=\S+, not read-only, not shared, properties=\{\}\)$/m,
    )
    const stable = (text: string) => text.replace(/used=[^,]*/g, '')
    expect(stable(await place.ok('fsadmin', 'report', 'ufs'))).toBe(
      `Alluxio under storage system information:\n${stable(list)}`,
    )
    expect((await place.run(['fs', 'touch', '/mnt/new'])).status).toBe(77)
    expect((await place.run(['fs', 'mount', '/mnt', `file://${local('tree')}`])).status).toBe(73)
    expect(await place.ok('fs', 'unmount', '/mnt')).toBe('Unmounted /mnt\n')
    expect((await place.run(['fs', 'cat', '/mnt/there.txt'])).status).toBe(66)
    expect(readFileSync(local('store/there.txt'), 'utf8')).toBe('there\n')
  })
})

describe('the cluster', () => {
  test('space, leader, masterInfo', async () => {
    expect(await place.ok('fs', 'getCapacityBytes')).toBe(`Capacity Bytes: ${128 * 2 ** 20}\n`)
    expect(await place.ok('fs', 'getUsedBytes')).toMatch(/^Used Bytes: \d+\n$/)
    expect(await place.ok('fs', 'leader')).toBe('127.0.0.1\n')
    const address = `127.0.0.1:${place.ports.masterRpc}`
    expect(await place.ok('fs', 'masterInfo')).toBe(
      `Current leader master: ${address}\nAll masters: [${address}]\n`,
    )
    expect(await place.json('fs', 'masterInfo')).toEqual({ leader: address, masters: [address] })
  })

  test('fsadmin report: summary, capacity, metrics', async () => {
    const summary = await place.ok('fsadmin', 'report')
    expect(summary.split('\n').map((line) => line.replace(/: .*/, ''))).toEqual([
      'Alluxio cluster summary',
      '    Master Address',
      '    Web Port',
      '    Rpc Port',
      '    Started',
      '    Uptime',
      '    Version',
      '    Safe Mode',
      '    Zookeeper Enabled',
      '    Raft-based Journal',
      '    Live Workers',
      '    Lost Workers',
      '    Total Capacity',
      '        Tier',
      '    Used Capacity',
      '        Tier',
      '    Free Capacity',
      '',
    ])
    expect(summary).toMatch(/^ {4}Uptime: 0 day\(s\), 0 hour\(s\), \d+ minute\(s\), and \d+ second\(s\)$/m)
    expect(summary).toContain('    Total Capacity: 128.00MB\n        Tier: MEM  Size: 128.00MB\n')
    expect(await place.ok('fsadmin', 'report', 'summary')).toContain(
      '    Live Workers: 1\n    Lost Workers: 0\n',
    )
    const capacity = await place.ok('fsadmin', 'report', 'capacity')
    expect(capacity).toMatch(
      /^Capacity information for all workers: \n {4}Total Capacity: 128\.00MB\n {8}Tier: MEM {2}Size: 128\.00MB\n {4}Used Capacity: /,
    )
    expect(capacity).toMatch(
      /\n {4}Used Percentage: \d+%\n {4}Free Percentage: \d+%\n\nWorker Name +State +Last Heartbeat +Storage +Total +MEM +Version +Revision\n127\.0\.0\.1 +ACTIVE +\d+ +capacity +128\.00MB +128\.00MB +\d+\.\d+\.\d+ +([0-9a-f]{40}|-)\n +used +\S+ \(\d+%\) +\S+ \(\d+%\) +\n$/,
    )
    expect(await place.ok('fsadmin', 'report', 'capacity', '-lost')).toBe('No workers found.\n')
    expect(
      await place.ok('fsadmin', 'report', 'capacity', '-workers', `127.0.0.1:${place.ports.workerRpc}`),
    ).toContain('specified workers')
    expect(await place.run(['fsadmin', 'report', 'capacity', '-workers', 'nobody'])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('127.0.0.1'),
    })
    expect(await place.ok('fsadmin', 'report', 'metrics')).toMatch(
      /^alluxio_master_\S+ {2}\(Type: (COUNTER|GAUGE), Value: [\d,.]+\)$/m,
    )
    expect((await place.json<{ liveWorkers: number }>('fsadmin', 'report')).liveWorkers).toBe(1)
  })

  test('bash completes paths from the cluster', async () => {
    const script = await place.ok('completion', 'bash')
    const complete = (word: string) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${script}\nCOMP_WORDS=(alluxio fs ls "$1"); COMP_CWORD=3; _alluxio; printf '%s\\n' "\${COMPREPLY[@]}"`,
          '-',
          word,
        ],
        { encoding: 'utf8', env: { ...place.env, PATH: `${resolve('bin')}:${place.env.PATH}` } },
      )
        .trim()
        .split('\n')
    expect(complete('/tree/s')).toEqual(['/tree/sub/'])
    expect(complete('/tree/sub/')).toEqual(['/tree/sub/b.csv'])
  })

  test('getConf --master shows how the master runs', async () => {
    expect(await place.ok('getConf', '--master', '--source', 'alluxio.master.rpc.port')).toBe(
      `${place.ports.masterRpc} (ENVIRONMENT)\n`,
    )
  })

  test('runTests passes every read type with every write type', async () => {
    const results = await place.json<{ passed: boolean; path: string }[]>('runTests')
    expect(results).toHaveLength(24)
    expect(results.filter(({ passed }) => !passed)).toEqual([])
    expect(results.map(({ path }) => path)).toContain('/default_tests_files/BASIC_CACHE_PROMOTE_MUST_CACHE')
    expect(
      await place.ok('runTests', '--readType', 'CACHE', '--writeType', 'THROUGH', '--operation', 'BASIC'),
    ).toBe(
      'runTest --operation BASIC --readType CACHE --writeType THROUGH\nPassed the test!\nNumber of failed tests: 0\n',
    )
  })

  test('runUfsTests judges a local folder', async () => {
    mkdirSync(local('judged'))
    const results = await place.json<{ name: string; outcome: string }[]>(
      'runUfsTests',
      '--path',
      `file://${local('judged')}`,
    )
    expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(results.filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(30)
    expect(readdirSync(local('judged'))).toEqual([])
    expect(
      await place.ok('runUfsTests', '--path', `file://${local('judged')}`, '--test', 'createEmpty'),
    ).toMatch(/^passed {3}createEmpty .*\n1 passed, 0 failed, 0 skipped\n$/)
  })

  test('block inspect tells a sound block from a damaged one', async () => {
    const blocks = readdirSync(place.memory, { recursive: true, encoding: 'utf8' })
      .map((name) => join(place.memory, name))
      .filter((file) => statSync(file).isFile() && statSync(file).size > 4096)
    const sound = blocks.find((file) => readFileSync(file).subarray(0, 6).toString() === 'ARROW1')!
    expect((await place.json<Record<string, unknown>[]>('block', 'inspect', sound))[0]).toMatchObject({
      path: sound,
      sound: true,
      badPages: [],
    })
    expect(await place.ok('block', 'inspect', sound)).toContain('blockId: ')
    const damaged = local('damaged-block')
    const bytes = readFileSync(sound)
    bytes[bytes.length >> 1]! ^= 0xff
    writeFileSync(damaged, bytes)
    expect((await place.run(['block', 'inspect', damaged])).status).toBe(74)
    expect((await place.run(['block', 'inspect', local('no-such-block')])).status).toBe(66)
  })
})
