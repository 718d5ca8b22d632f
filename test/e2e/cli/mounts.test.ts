/** Mounts, maintenance, path configuration and access lists on the command line, against a real cluster. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Place } from './command.ts'

let place: Place
const user = userInfo().username
const local = (path: string) => join(place.folder, 'local', path)
const MUST_CACHE = '-Dalluxio.user.file.writetype.default=MUST_CACHE'
const THROUGH = '-Dalluxio.user.file.writetype.default=CACHE_THROUGH'

beforeAll(async () => {
  place = await Place.make()
  await place.ok('start', 'local', ...place.tier, '-Dalluxio.master.ufs.answer.timeout=3s')
  for (const folder of ['store/sub', 'other', 'conf', 'kept', 'contract'])
    mkdirSync(local(folder), { recursive: true })
  writeFileSync(local('store/a.txt'), 'first\n')
  writeFileSync(local('store/sub/b.txt'), 'below\n')
  writeFileSync(local('other/c.txt'), 'c\n')
}, 120_000)
afterAll(() => place?.dispose())

const refused = async (status: number, message: RegExp, ...args: string[]) => {
  const ran = await place.run(args)
  expect({ args, status: ran.status, stdout: ran.stdout }).toEqual({ args, status, stdout: '' })
  expect(ran.stderr).toMatch(message)
}
const until = async (done: () => Promise<boolean>) => {
  for (let i = 0; i < 100 && !(await done()); i++) await pause(100)
  expect(await done()).toBe(true)
}

describe('mounts', () => {
  test('nested, with refusals that say why', async () => {
    await place.ok('fs', 'mount', '/m', `file://${local('store')}`)
    await place.ok('fs', 'mount', '/m/nested', `file://${local('other')}`)
    expect(await place.ok('fs', 'cat', '/m/nested/c.txt')).toBe('c\n')
    await refused(73, /exists already/, 'fs', 'mount', '/m/nested', `file://${local('conf')}`)
    await refused(73, /exists already/, 'fs', 'mount', '/m/sub', `file://${local('conf')}`)
    await refused(64, /overlaps/, 'fs', 'mount', '/again', `file://${local('store/sub')}`)
    await refused(64, /overlaps/, 'fs', 'mount', '/above', `file://${local('')}`)
    await refused(66, /does not exist/, 'fs', 'mount', '/no/parent', `file://${local('conf')}`)
    await refused(66, /does not exist; create it/, 'fs', 'mount', '/x', `file://${local('missing')}`)
    await refused(64, /credentials in it/, 'fs', 'mount', '/x', 's3://key:secret@bucket/')
    await refused(75, /unmount that first|below it/, 'fs', 'unmount', '/m')
    await refused(75, /mounted at/, 'fs', 'rm', '-R', '/m')
    await refused(69, /different mounts/, 'fs', 'mv', '/m/a.txt', '/moved.txt')
    await place.ok('fs', 'unmount', '/m/nested')
  })

  test('updateMount: read-only, shared, and what was said before is forgotten', async () => {
    expect(await place.ok('fs', 'updateMount', '--readonly', '--shared', '/m')).toBe(
      'Updated mount point options at /m\n',
    )
    expect(await place.ok('fs', 'mount')).toMatch(/ on \/m .*, read-only, shared, properties=\{\}/)
    await refused(77, /read-only/, 'fs', 'touch', THROUGH, '/m/new')
    expect(await place.ok('fs', 'ls', '-d', '/m')).toMatch(/^drwxrwxrwx /)
    expect(await place.ok('fs', 'cat', '/m/a.txt')).toBe('first\n')
    await place.ok('fs', 'updateMount', '--option', 'some.key=value', '/m')
    expect(await place.ok('fs', 'mount')).toMatch(
      / on \/m .*not read-only, not shared, properties=\{some.key=value\}/,
    )
    await place.ok('fs', 'touch', THROUGH, '/m/new')
    expect(existsSync(local('store/new'))).toBe(true)
    await refused(64, /no mount point/, 'fs', 'updateMount', '/m/sub')
    await refused(
      64,
      /immutable, ttl/,
      'fs',
      'updateMount',
      '--option',
      'alluxio.user.file.consistency=often',
      '/m',
    )
  })

  test('secrets are shown as references only', async () => {
    const file = local('secret')
    writeFileSync(file, 'file-canary-1\n')
    await place.ok(
      ...[
        'fs',
        'updateMount',
        '--option',
        's3a.accessKeyId=env:SOME_KEY',
        '--option',
        `s3a.secretKey=file:${file}`,
      ],
      ...['--option', 's3a.sessionToken=canary-2', '--option', 'plug.password=canary-3', '/m'],
    )
    const shown = (await place.ok('fs', 'mount')) + (await place.ok('fsadmin', 'report', 'ufs', '--json'))
    expect(shown).toContain('s3a.accessKeyId=env:SOME_KEY')
    expect(shown).toContain(`s3a.secretKey=file:${file}`)
    expect(shown).toContain('s3a.sessionToken=******')
    expect(shown).not.toContain('canary')
    for (const log of ['master', 'worker']) {
      const path = join(place.folder, 'data', 'logs', `${log}.log`)
      if (existsSync(path)) expect(readFileSync(path, 'utf8')).not.toContain('canary')
    }
    await place.ok('fs', 'updateMount', '/m')
  })

  test('a store that is down: refused in time, or mounted all the same', async () => {
    // Connections are accepted and never answered.
    const silent = createServer(() => {})
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening))
    const { port } = silent.address() as { port: number }
    const options = [
      '--option',
      `alluxio.underfs.s3.endpoint=http://127.0.0.1:${port}`,
      '--option',
      's3a.accessKeyId=a',
      '--option',
      's3a.secretKey=b',
    ]
    const started = Date.now()
    await refused(69, /does not answer .*--force/s, 'fs', 'mount', ...options, '/down', 's3://bucket/x')
    expect(Date.now() - started).toBeLessThan(15_000)
    await place.ok('fs', 'mount', '--force', ...options, '/down', 's3://bucket/x')
    await refused(
      69,
      /has to be checked with s3:\/\/bucket\/x, which does not answer/,
      'fs',
      'stat',
      '/down/file',
    )
    expect(await place.ok('fs', 'mount')).toContain('s3://bucket/x')
    // What may take long is waited for; who interrupts it is told that it goes on, and where to look.
    const interrupted = await place.run(['fs', 'rm', '-R', '/down/file'], {
      onStart: (kill) => setTimeout(() => kill('SIGINT'), 3000),
    })
    expect(interrupted).toMatchObject({ status: 130, stdout: '' })
    expect(interrupted.stderr).toMatch(
      /Interrupted: if the master has begun to remove \/down\/file, it goes on/,
    )
    expect(await place.ok('fsadmin', 'report', 'changes')).toBe('No change of an under-store is under way.\n')
    await place.ok('fs', 'unmount', '/down')
    silent.close()
  }, 60_000)
})

test('maintenance: cached bytes are served, the rest is refused, persists wait; kept over a restart', async () => {
  const uri = `file://${local('kept')}`
  writeFileSync(local('kept/warm'), 'warm\n')
  writeFileSync(local('kept/cold'), 'cold\n')
  await place.ok('fs', 'mount', '/kept', uri)
  await place.ok('fs', 'cat', '/kept/warm')
  await place.ok('fs', 'stat', '/kept/cold')
  await refused(66, /nothing is mounted/, 'fsadmin', 'ufs', '--mode', 'readOnly', 'file:///nowhere')

  expect(await place.ok('fsadmin', 'ufs', '--mode', 'readOnly', uri)).toBe('Ufs mode updated\n')
  expect(await place.ok('fsadmin', 'report', 'ufs')).toMatch(/ on \/kept .*mode=readOnly\)/)
  await refused(77, /maintenance \(readOnly\)/, 'fs', 'touch', THROUGH, '/kept/through')
  await refused(77, /maintenance \(readOnly\)/, 'fs', 'rm', '/kept/cold')
  await refused(77, /maintenance \(readOnly\)/, 'fs', 'mv', '/kept/cold', '/kept/moved')
  await place.ok('fs', 'copyFromLocal', local('kept/warm'), '/kept/later')
  await pause(1500)
  expect(existsSync(local('kept/later'))).toBe(false)

  await place.ok('fsadmin', 'ufs', '--mode', 'noAccess', uri)
  await place.ok('stop', 'master')
  await place.ok('start', 'master', '-Dalluxio.master.ufs.answer.timeout=3s')
  expect(
    (await place.json<{ path: string; mode?: string }[]>('fs', 'mount')).find(({ path }) => path === '/kept')
      ?.mode,
  ).toBe('noAccess')
  // The worker has to tell the new master what it has.
  await until(async () => (await place.ok('fs', 'ls', '/kept/warm')).includes(' 100% '))
  expect(await place.ok('fs', 'cat', '/kept/warm')).toBe('warm\n')
  expect(await place.ok('fs', 'cat', '/kept/later')).toBe('warm\n')
  await refused(77, /maintenance \(noAccess\)/, 'fs', 'cat', '/kept/cold')
  await refused(77, /maintenance \(noAccess\)/, 'fs', 'stat', '/kept/unknown')

  await place.ok('fsadmin', 'ufs', '--mode', 'readWrite', uri)
  await until(async () => existsSync(local('kept/later')))
  expect(await place.ok('fs', 'cat', '/kept/cold')).toBe('cold\n')
  expect(await place.ok('fs', 'mount')).not.toContain('mode=')
}, 120_000)

test('pathConf: longest path wins, clients apply it, kept over a restart', async () => {
  await place.ok('fs', 'mkdir', MUST_CACHE, '/conf', '/conf/deep')
  const key = 'alluxio.user.file.writetype.default'
  await place.ok(
    'fsadmin',
    'pathConf',
    'add',
    '--property',
    `${key}=CACHE_THROUGH`,
    '--property',
    'alluxio.user.block.size.bytes.default=8192',
    '/conf',
  )
  await place.ok('fsadmin', 'pathConf', 'add', '--property', `${key}=MUST_CACHE`, '/conf/deep')
  expect(await place.ok('fsadmin', 'pathConf', 'list')).toBe('/conf\n/conf/deep\n')
  expect(await place.ok('fsadmin', 'pathConf', 'show', '/conf/deep')).toBe(`${key}=MUST_CACHE\n`)
  expect(await place.ok('fsadmin', 'pathConf', 'show', '--all', '/conf/deep/file')).toBe(
    `alluxio.user.block.size.bytes.default=8192\n${key}=MUST_CACHE\n`,
  )
  expect(await place.ok('fsadmin', 'pathConf', 'show', '/conf/deep/file')).toBe('')
  await refused(
    64,
    /only keys of clients/,
    'fsadmin',
    'pathConf',
    'add',
    '--property',
    'alluxio.master.rpc.port=1',
    '/conf',
  )
  await refused(64, /not one of/, 'fsadmin', 'pathConf', 'add', '--property', `${key}=SOMETIMES`, '/conf')
  writeFileSync(local('bytes'), Buffer.alloc(20_000, 1))
  await place.ok('fs', 'copyFromLocal', local('bytes'), '/conf/a')
  await place.ok('fs', 'copyFromLocal', local('bytes'), '/conf/deep/b')
  const facts = async (path: string) => {
    const [status] = await place.json<[{ persistenceState: string; blockSizeBytes: number }]>(
      'fs',
      'stat',
      path,
    )
    return { state: status.persistenceState, block: status.blockSizeBytes }
  }
  expect(await facts('/conf/a')).toEqual({ state: 'PERSISTED', block: 8192 })
  expect(await facts('/conf/deep/b')).toEqual({ state: 'NOT_PERSISTED', block: 8192 })
  await place.ok('stop', 'master')
  await place.ok('start', 'master', '-Dalluxio.master.ufs.answer.timeout=3s')
  expect(await place.ok('fsadmin', 'pathConf', 'list')).toBe('/conf\n/conf/deep\n')
  await place.ok(
    'fsadmin',
    'pathConf',
    'remove',
    '--keys',
    `${key},alluxio.user.block.size.bytes.default`,
    '/conf',
  )
  await place.ok('fsadmin', 'pathConf', 'remove', '--keys', `${key},never.set`, '/conf/deep')
  expect(await place.ok('fsadmin', 'pathConf', 'list')).toBe('')
}, 60_000)

test('contracts: by mount and by path; what a failed sync leaves is marked', async () => {
  const file = local('contract/f')
  writeFileSync(file, 'one\n')
  await place.ok(
    'fs',
    'mount',
    '--option',
    'alluxio.user.file.consistency=strict',
    '/contract',
    `file://${local('contract')}`,
  )
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('one\n')
  appendFileSync(file, 'two\n')
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('one\ntwo\n')
  rmSync(file)
  await refused(66, /does not exist/, 'fs', 'stat', '/contract/f')
  writeFileSync(file, 'three\n')
  expect(await place.ok('fs', 'ls', '/contract')).toContain('/contract/f')
  // The path's own configuration wins over the mount's.
  const set = (contract: string) =>
    place.ok(
      'fsadmin',
      'pathConf',
      'add',
      '--property',
      `alluxio.user.file.consistency=${contract}`,
      '/contract',
    )
  await set('immutable')
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('three\n')
  appendFileSync(file, 'four\n')
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('three\n')
  expect(await place.ok('fs', 'cat', '-Dalluxio.user.file.metadata.sync.interval=0', '/contract/f')).toBe(
    'three\n',
  )
  await set('ttl(1ms)')
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('three\nfour\n')
  await refused(
    64,
    /not one of immutable/,
    'fsadmin',
    'pathConf',
    'add',
    '--property',
    'alluxio.user.file.consistency=ttl(0)',
    '/contract',
  )

  await place.ok('fsadmin', 'ufs', '--mode', 'noAccess', `file://${local('contract')}`)
  await refused(77, /maintenance/, 'fs', 'cat', '/contract/f')
  expect(await place.ok('fs', 'ls', '/contract')).toMatch(/\/contract\/f \(stale\)\n$/)
  expect(await place.ok('fs', 'stat', '/contract/f')).toContain('stale=true')
  await place.ok('fsadmin', 'ufs', '--mode', 'readWrite', `file://${local('contract')}`)
  expect(await place.ok('fs', 'cat', '/contract/f')).toBe('three\nfour\n')
  expect(await place.ok('fs', 'ls', '/contract')).toMatch(/\/contract\/f\n$/)
  expect(await place.ok('fs', 'stat', '/contract/f')).toContain('stale=false')
}, 60_000)

test('getfacl, setfacl: upstream’s form, +, mask, inheritance', async () => {
  await place.ok('fs', 'mkdir', MUST_CACHE, '/acl')
  await place.ok('fs', 'touch', MUST_CACHE, '/acl/f')
  const group = (await place.json<[{ group: string }]>('fs', 'stat', '/acl'))[0].group
  const head = `# file: /acl\n# owner: ${user}\n# group: ${group}\n`
  expect(await place.ok('fs', 'getfacl', '/acl')).toBe(`${head}user::rwx\ngroup::r-x\nother::r-x\n`)
  await place.ok('fs', 'setfacl', '-m', 'user:alice:rwx,group:dev:r--', '/acl')
  expect(await place.ok('fs', 'getfacl', '/acl')).toBe(
    `${head}user::rwx\nuser:alice:rwx\ngroup::r-x\ngroup:dev:r--\nmask::rwx\nother::r-x\n`,
  )
  expect(await place.ok('fs', 'ls', '-d', '/acl')).toMatch(/^drwxrwxr-x\+ /)
  await place.ok('fs', 'setfacl', '-d', '-m', 'user:bob:rw-', '/acl')
  expect(await place.ok('fs', 'getfacl', '/acl')).toContain(
    'default:user::rwx\ndefault:user:bob:rw-\ndefault:group::r-x\ndefault:mask::rwx\ndefault:other::r-x\n',
  )
  await place.ok('fs', 'mkdir', MUST_CACHE, '/acl/child')
  expect(await place.ok('fs', 'getfacl', '/acl/child')).toMatch(
    /^user:bob:rw-\n(.*\n)*default:user:bob:rw-$/m,
  )
  await place.ok('fs', 'touch', MUST_CACHE, '/acl/child/g')
  expect(await place.ok('fs', 'getfacl', '/acl/child/g')).toMatch(
    /user::rw-\nuser:bob:rw-\ngroup::r-x\nmask::rw-\n/,
  )
  await place.ok('fs', 'setfacl', '-R', '-x', 'user:bob', '/acl')
  expect(await place.ok('fs', 'getfacl', '/acl/child/g')).not.toContain('bob')
  await place.ok('fs', 'setfacl', '-k', '/acl')
  expect(await place.ok('fs', 'getfacl', '/acl')).not.toContain('default')
  await place.ok('fs', 'setfacl', '-b', '/acl')
  expect(await place.ok('fs', 'getfacl', '/acl')).toBe(`${head}user::rwx\ngroup::r-x\nother::r-x\n`)
  await place.ok('fs', 'setfacl', '--set', 'user::rw-,group::---,other::---,user:eve:r--', '/acl/f')
  expect(await place.ok('fs', 'ls', '/acl')).toMatch(/^-rw-r-----\+ /m)
  await refused(64, /needs an entry other::/, 'fs', 'setfacl', '--set', 'user::rwx,group::r-x', '/acl')
  await refused(64, /no ACL entry/, 'fs', 'setfacl', '-m', 'user:alice:rwz', '/acl')
  await refused(64, /only a directory/, 'fs', 'setfacl', '-d', '-m', 'user:alice:rwx', '/acl/f')
  await refused(66, /does not exist/, 'fs', 'getfacl', '/acl/none')
}, 60_000)

test('setReplication', async () => {
  await place.ok('fs', 'mkdir', MUST_CACHE, '/rep')
  await place.ok('fs', 'touch', MUST_CACHE, '/rep/f')
  expect(await place.ok('fs', 'setReplication', '--min', '2', '--max', '5', '/rep/f')).toBe(
    'Changed the replication level of /rep/f\nreplicationMax was set to 5\nreplicationMin was set to 2\n',
  )
  const facts = async () => {
    const [{ replicationMin, replicationMax }] = await place.json<
      [{ replicationMin: number; replicationMax: number }]
    >('fs', 'stat', '/rep/f')
    return [replicationMin, replicationMax]
  }
  expect(await facts()).toEqual([2, 5])
  await refused(64, /cannot both hold/, 'fs', 'setReplication', '--max', '1', '/rep/f')
  await refused(64, /use -R/, 'fs', 'setReplication', '--max', '7', '/rep')
  await place.ok('fs', 'setReplication', '-R', '--max', '-1', '/rep')
  expect(await facts()).toEqual([2, -1])
  await refused(66, /does not exist/, 'fs', 'setReplication', '--max', '1', '/rep/none')
})
