/** Daemons in the background: start, stop, status, format, and what stands in their way. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Place } from './command.ts'

interface State {
  readonly daemon: string
  readonly state: string
  readonly pid?: number
}

let place: Place
beforeEach(async () => {
  place = await Place.make()
})
afterEach(() => place.dispose())

const states = async () => JSON.parse((await place.run(['status', '--json'])).stdout) as State[]

test('a whole life, every step twice', async () => {
  expect((await place.run(['status'])).status).toBe(69)
  expect((await place.run(['stop'])).stdout).toBe(
    'The proxy was not running\nThe worker was not running\nThe master was not running\n',
  )
  const first = await place.ok('start', 'local', ...place.tier)
  expect(first).toMatch(
    new RegExp(
      `^Formatted \\S+\nThe master serves: pid \\d+, port ${place.ports.masterRpc}, .*\nThe worker serves: pid \\d+, .*MEM 128\\.00MB\nThe proxy serves: pid \\d+, port \\d+, .*\n$`,
    ),
  )
  const before = await states()
  expect(before.map(({ daemon, state }) => `${daemon} ${state}`)).toEqual([
    'master serving',
    'worker serving',
    'proxy serving',
  ])
  const second = await place.ok('start', 'local', ...place.tier)
  expect(second).toMatch(/^The master was already running: .*\nThe worker was already running: /)
  expect((await states()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
  const table = await place.ok('status')
  expect(table).toMatch(/^Daemon {2}State +Pid +Uptime +RPC +Web +Log\nmaster {2}serving +\d+ /)
  expect(existsSync(join(place.folder, 'data', 'logs', 'master.log'))).toBe(true)

  // What was written outlives a stop of everything.
  await place.ok('fs', 'mkdir', '/stays')
  const refused = await place.run(['format', '--yes'])
  expect(refused).toMatchObject({ status: 75, stdout: '', stderr: expect.stringContaining('alluxio stop') })
  expect(await place.ok('stop')).toBe(
    'The proxy has stopped\nThe worker has stopped\nThe master has stopped\n',
  )
  expect((await states()).map(({ state }) => state)).toEqual(['absent', 'absent', 'absent'])
  expect((await place.run(['stop'])).status).toBe(0)
  await place.ok('start', 'master')
  expect(await place.ok('fs', 'ls', '/')).toContain('/stays')
  expect(await place.run(['status', 'master'])).toMatchObject({ status: 0 })
  expect(await place.run(['status'])).toMatchObject({
    status: 69,
    stdout: expect.stringContaining('not running'),
  })

  // A crash shows as one, and start mends it.
  process.kill((await states())[0]!.pid!, 'SIGKILL')
  expect((await states())[0]?.state).toBe('crashed')
  await place.ok('start', 'master')
  expect(await place.ok('fs', 'ls', '/')).toContain('/stays')
  await place.ok('stop', 'master')
}, 120_000)

test('format asks before it deletes, and leaves the under-store alone', async () => {
  expect(await place.ok('format')).toBe(`Formatting complete: ${place.env.ALLUXIO_DATA}\n`)
  await place.ok('start', 'master')
  await place.ok('fs', 'mkdir', '/gone')
  await place.ok('stop', 'master')
  writeFileSync(join(place.folder, 'data', 'underFSStorage', 'mine'), 'kept')
  const unconfirmed = await place.run(['format'])
  expect(unconfirmed).toMatchObject({
    status: 75,
    stdout: '',
    stderr: expect.stringContaining('alluxio format --yes'),
  })
  expect(await place.ok('format', '-s')).toContain('is formatted already')
  expect(await place.json('format', '--yes')).toMatchObject({
    formatted: true,
    deleted: [expect.stringContaining('metastore')],
  })
  expect(readFileSync(join(place.folder, 'data', 'underFSStorage', 'mine'), 'utf8')).toBe('kept')
  await place.ok('start', 'master')
  expect((await place.run(['fs', 'test', '-e', '/gone'])).status).toBe(1)
}, 120_000)

test('a taken port names its holder and the way out', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(place.ports.masterRpc, '127.0.0.1', resolve))
  try {
    const { status, stdout, stderr } = await place.run(['start', 'master'])
    expect(status).toBe(69)
    expect(stdout).toMatch(/^Formatted /)
    expect(stderr).toContain(`port ${place.ports.masterRpc}`)
    expect(stderr).toContain(`pid ${process.pid}`)
    expect(stderr).toMatch(/-Dalluxio\.master\.rpc\.port=\d+/)
    const other = Number(/-Dalluxio\.master\.rpc\.port=(\d+)/.exec(stderr)?.[1])
    expect(await place.ok('start', 'master', `-Dalluxio.master.rpc.port=${other}`)).toContain(`port ${other}`)
    // It runs where it was told to, whatever the configuration says now.
    expect(await place.ok('status', 'master')).toContain(`127.0.0.1:${other}`)
    const elsewhere = await place.run(['start', 'master'])
    expect(elsewhere).toMatchObject({
      status: 75,
      stderr: expect.stringContaining(`-Dalluxio.master.rpc.port=${other}`),
    })
  } finally {
    server.close()
  }
}, 60_000)

test('a master that cannot start shows its last words', async () => {
  mkdirSync(join(place.folder, 'data'), { recursive: true })
  writeFileSync(join(place.folder, 'data', 'metastore'), 'a file where a folder belongs')
  const { status, stderr } = await place.run(['start', 'master', '--wait', '20'])
  expect(status).toBe(69)
  expect(stderr).toContain('the master ended while it was starting')
  expect(stderr).toContain('metastore')
  expect((await states())[0]?.state).toBe('absent')
}, 60_000)

test('a worker without a master says what it waits for', async () => {
  const { status, stderr } = await place.run(['start', 'worker', '--wait', '2', ...place.tier])
  expect(status).toBe(69)
  expect(stderr).toContain(`its master answers at 127.0.0.1:${place.ports.masterRpc}: alluxio start master`)
  expect((await states())[1]?.state).toBe('absent')
}, 60_000)

test('a proxy serves without a master, and says so when one is needed', async () => {
  expect(await place.ok('start', 'proxy')).toMatch(/^The proxy serves: pid \d+, port \d+, http:/)
  expect((await states()).map(({ state }) => state)).toEqual(['absent', 'absent', 'serving'])
  expect(await place.ok('stop', 'proxy')).toBe('The proxy has stopped\n')
})

test('a daemon in the foreground refuses to run twice', async () => {
  await place.ok('start', 'master')
  const { status, stderr } = await place.run(['daemon', 'master'])
  expect(status).toBe(75)
  expect(stderr).toContain('already running')
}, 60_000)
