/** Words alone: no cluster runs. Wrong arguments to every command end with 64, say what to do on stderr, print nothing. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { COMMANDS } from '../../../src/commands/registry.ts'
import { Place } from './command.ts'

let place: Place
beforeAll(async () => {
  place = await Place.make()
})
afterAll(() => place.dispose())

/** At least one wrong line for every command; the test below fails when a command is missing here. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  'block:inspect': [''],
  completion: ['', 'csh', 'bash zsh'],
  'daemon:master': ['extra', '--nonsense'],
  'daemon:proxy': ['extra'],
  'daemon:worker': ['extra'],
  'extensions:install': [''],
  'extensions:ls': ['extra'],
  'extensions:uninstall': [''],
  format: ['extra', '--nonsense'],
  'fs:cat': ['', 'relative/path', '/a/../b', '--nonsense /x'],
  'fs:checkConsistency': ['', 'relative'],
  'fs:checksum': ['', 'x'],
  'fs:chgrp': ['', 'staff', 'staff relative'],
  'fs:chmod': ['', '755', '999 /x', 'u+x /x'],
  'fs:chown': ['', 'user', 'a:b:c /x', '-bad /x'],
  'fs:copyFromLocal': [
    '',
    '/only-one',
    '--thread 0 /etc/hosts /x',
    '--buffersize none /etc/hosts /x',
    '/etc/hosts relative',
  ],
  'fs:copyToLocal': ['', '/only-one', '--buffersize -1 /x /tmp/x'],
  'fs:count': ['', 'x'],
  'fs:cp': ['', '/a', 'file:///a file:///b', '--thread x /a /b'],
  'fs:du': ['', 'x'],
  'fs:free': ['', 'x'],
  'fs:getCapacityBytes': ['extra'],
  'fs:getSyncPathList': ['extra'],
  'fs:getUsedBytes': ['extra'],
  'fs:getfacl': ['', 'x'],
  'fs:head': ['', '-c 0 /x', '-c many /x'],
  'fs:leader': ['extra'],
  'fs:load': ['', 'x'],
  'fs:loadMetadata': ['', 'x'],
  'fs:location': ['', 'x'],
  'fs:ls': ['', '--sort=colour /', '--timestamp=never /', 'relative', '--nonsense /'],
  'fs:masterInfo': ['extra'],
  'fs:mkdir': ['', 'relative'],
  'fs:mount': ['/one', '--option noequals /a file:///b', '/a file:///b extra'],
  'fs:mv': ['', '/a', '/a /b /c', 'a /b'],
  'fs:needsSync': ['', 'x'],
  'fs:persist': ['', '-p 0 /x', '-t 1 -w 2 /x', '-w soon /x'],
  'fs:pin': ['', 'x'],
  'fs:rm': ['', 'x'],
  'fs:setReplication': ['', '/x', '--min 3 --max 2 /x', '--max many /x', '--min -1 /x'],
  'fs:setfacl': ['', '/x', '-b -k /x', '-m user:a:rwx', '-m , /x', '-x user:a relative'],
  'fs:setTtl': ['', '/x', '/x soon', '/x -5', '--action explode /x 1d'],
  'fs:startSync': ['', 'x'],
  'fs:stopSync': ['', 'x'],
  'fs:stat': ['', '--file-id abc', '--file-id 3 /x'],
  'fs:tail': ['', '-c -3 /x'],
  'fs:test': ['', '/x', '-d -f /x', '-q /x'],
  'fs:touch': ['', 'relative'],
  'fs:unmount': ['', '/a /b', 'relative'],
  'fs:unpin': ['', '/a /b'],
  'fs:unsetTtl': ['', '/a 5'],
  'fs:updateMount': ['', '/a /b', 'relative', '--option noequals /a'],
  'fsadmin:pathConf:add': ['', '/x', '--property novalue /x', '--property a=b relative'],
  'fsadmin:pathConf:list': ['extra'],
  'fsadmin:pathConf:remove': ['', '/x', '--keys , /x'],
  'fsadmin:pathConf:show': ['', 'relative', '/a /b'],
  'fsadmin:report': ['nonsense'],
  'fsadmin:report:capacity': ['-live -lost', '-dead', 'extra'],
  'fsadmin:report:metrics': ['extra'],
  'fsadmin:report:summary': ['extra'],
  'fsadmin:report:changes': ['extra'],
  'fsadmin:report:ufs': ['extra'],
  'fsadmin:ufs': ['', '--mode readOnly', '--mode sometimes file:///a', 'file:///a'],
  getConf: [
    'alluxio.master.rpc.prt',
    '--unit XB alluxio.worker.ramdisk.size',
    'a b',
    '--unit KB alluxio.master.hostname',
  ],
  hints: ['', '/a --for', '/a --nonsense'],
  'plugins:build': ['nonsense'],
  'plugins:ls': ['extra'],
  'kubernetes:serve': ['extra', '--nonsense'],
  'mesos:run': [
    '',
    '--master http://m --inputs /a',
    '--master http://m -- true',
    '--master ftp://m --inputs /a -- true',
    '--master http://m --inputs relative -- true',
    '--master http://m --inputs /a --cpus 0 -- true',
    '--master http://m --inputs /a --mem much -- true',
    '--master http://m --inputs /a --delay soon -- true',
    '--master http://m --inputs /a --secret-file /x -- true',
  ],
  quickstart: ['extra', '--s3', '--s3 http://127.0.0.1:9000', '--s3 http://127.0.0.1:9000/bucket'],
  's3:credential:create': ['', 'extra', '--user'],
  's3:credential:delete': ['', 'a b'],
  's3:credential:ls': ['extra'],
  runTests: ['extra', '--readType SOMETIMES', '--writeType NEVER', '--operation COMPLEX'],
  runUfsTests: [
    '',
    '--path file:///tmp --test none',
    '--path file:///tmp --option noequals',
    '--path gopher://x',
  ],
  start: ['everything', 'master worker', '--wait soon'],
  status: ['everything'],
  stop: ['everything', '--wait -1'],
  version: ['extra', '-r 99', '-r x'],
}

test('every command has a wrong line here', () => {
  expect(Object.keys(WRONG).sort()).toEqual(Object.keys(COMMANDS).sort())
})

const lines = Object.entries(WRONG).flatMap(([id, wrong]) =>
  wrong.map((words, i) => [`${id.replaceAll(':', ' ')} ${words}`.trim(), i === 0] as const),
)
test.concurrent.each(lines)('alluxio %s', async (line, asJson) => {
  const { status, stdout, stderr } = await place.run(line.split(' '))
  expect({ line, status, stdout }).toEqual({ line, status: 64, stdout: '' })
  expect(stderr.trim().length).toBeGreaterThan(10)
  expect(stderr).not.toMatch(/\bat .*\.js:\d+/)
  if (!asJson) return
  const json = await place.run([...line.split(' '), '--json'])
  expect(json).toMatchObject({ status: 64, stdout: '' })
  expect(JSON.parse(json.stderr)).toEqual({
    error: expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.any(String),
      suggestions: expect.any(Array),
      retryable: false,
    }),
  })
})

describe('help and names', () => {
  test('no command, a topic alone and an unknown command are faults that show the way', async () => {
    for (const words of [[], ['fs'], ['block']]) {
      const { status, stdout, stderr } = await place.run(words)
      expect({ words, status, stdout }).toEqual({ words, status: 64, stdout: '' })
      expect(stderr).toContain('USAGE')
    }
    expect(await place.run(['fs', 'lss'])).toMatchObject({
      status: 64,
      stdout: '',
      stderr: expect.stringContaining('alluxio fs ls'),
    })
    expect((await place.run(['ls', '/'])).stderr).toContain('alluxio fs ls')
  })

  test('help that was asked for goes to stdout', async () => {
    for (const words of [
      ['--help'],
      ['help'],
      ['fs', '--help'],
      ['fs', 'mv', '-h'],
      ['help', 'fs', 'ls'],
      ['fs', 'help', 'ls'],
      ['fs', 'help'],
      ['-h'],
    ]) {
      const { status, stdout, stderr } = await place.run(words)
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' })
      expect(stdout).toContain('USAGE')
    }
    expect(await place.ok('fs', 'mv', '--help')).toContain('alluxio fs mv <src> <dst>')
    // -h is human-readable sizes here, as upstream has it.
    expect((await place.run(['fs', 'ls', '-h'])).stderr).toContain('Missing 1 required arg')
  })

  test('version, through links too', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const folder = mkdtempSync(join(tmpdir(), 'alluxio-link-'))
    try {
      symlinkSync(resolve('bin/alluxio'), join(folder, 'first'))
      symlinkSync('first', join(folder, 'second'))
      expect(
        execFileSync(join(folder, 'second'), ['version'], { encoding: 'utf8', env: { ...place.env } }),
      ).toBe(`${version}\n`)
      expect(await place.json('version')).toMatchObject({ version })
      expect(await place.ok('version', '-r', '7')).toMatch(
        new RegExp(`^${version.replaceAll('.', '\\.')}(-[0-9a-f]{7})?\\n$`),
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('configuration', () => {
  test('getConf: default, environment, -D in both forms, source, unit, unset', async () => {
    expect(await place.ok('getConf', 'alluxio.user.block.size.bytes.default')).toBe('67108864\n')
    expect(await place.ok('getConf', '--unit', 'MB', 'alluxio.user.block.size.bytes.default')).toBe('64\n')
    expect(await place.ok('getConf', '-Dalluxio.master.rpc.port=7', 'alluxio.master.rpc.port')).toBe('7\n')
    expect(
      await place.ok('getConf', '-D', 'alluxio.master.rpc.port=8', '--source', 'alluxio.master.rpc.port'),
    ).toBe('8 (COMMAND_LINE)\n')
    expect(await place.ok('getConf', '--source', 'alluxio.master.rpc.port')).toBe(
      `${place.ports.masterRpc} (ENVIRONMENT)\n`,
    )
    expect(await place.ok('getConf', 'alluxio.worker.ramdisk.size')).toBe('\n')
    const all = await place.ok('getConf')
    expect(all).toContain(`alluxio.data=${place.folder}/data\n`)
    const list = await place.json<{ key: string; value: string; source: string }[]>('getConf')
    expect(list).toContainEqual({ key: 'alluxio.master.hostname', value: '127.0.0.1', source: 'DEFAULT' })
    expect(all.trimEnd().split('\n')).toHaveLength(list.length)
  })

  test('all faults of a configuration at once, with the nearest key', async () => {
    const { status, stdout, stderr } = await place.run([
      'fs',
      'ls',
      '/',
      '-Dalluxio.master.rpc.prt=1',
      '-Dalluxio.master.web.port=x',
      '-Dnovalue',
    ])
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' })
    expect(stderr).toContain('did you mean alluxio.master.rpc.port?')
    expect(stderr).toContain('alluxio.master.web.port')
    expect(stderr).toContain('write -Dkey=value')
  })
})

describe('completion', () => {
  test.each(['bash', 'zsh', 'fish'])('%s names every command', async (shell) => {
    const script = await place.ok('completion', shell)
    for (const id of Object.keys(COMMANDS)) expect(script).toContain(id.slice(id.lastIndexOf(':') + 1))
  })

  test('bash completes commands and options', async () => {
    const script = await place.ok('completion', 'bash')
    const complete = (words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _alluxio; printf '%s\\n' "\${COMPREPLY[@]}"`,
          '-',
          ...words,
        ],
        { encoding: 'utf8' },
      )
        .trim()
        .split('\n')
    expect(complete(['alluxio', 'fs', 'copy'])).toEqual(['copyFromLocal', 'copyToLocal'])
    expect(complete(['alluxio', 'fsadmin', 'report', 'c'])).toEqual(['capacity', 'changes'])
    expect(complete(['alluxio', 'fs', 'rm', '--rec'])).toEqual(['--recursive'])
  })
})

test('no cluster: 69, the address, and how to start one', async () => {
  const { status, stdout, stderr } = await place.run(['fs', 'ls', '/'])
  expect({ status, stdout }).toEqual({ status: 69, stdout: '' })
  expect(stderr).toContain(`127.0.0.1:${place.ports.masterRpc}`)
  expect(stderr).toContain('alluxio start local')
})
