import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Config } from '../../core/config/index.ts'
import { systemRuntime } from '../../core/index.ts'
import '../../core/options/index.ts'
import { closeSync } from 'node:fs'
import {
  claimPidFile,
  daemonStatus,
  format,
  portHolder,
  runningProcess,
  startDaemon,
  stopDaemon,
  tailLog,
  whatFormatDeletes,
} from './index.ts'
import { openLog } from './log-file.ts'
import { bornAt } from './pid-file.ts'
import { checkPort } from './ports.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alluxio-launch-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function configure(properties: Record<string, string> = {}): Config {
  return Config.load({
    env: { ALLUXIO_DATA: folder },
    overrides: {
      'alluxio.worker.tieredstore.level0.dirs.path': join(folder, 'mem'),
      'alluxio.worker.rpc.port': '45678',
      ...properties,
    },
  })
}

test('a pid file names a process, refuses a second one, and is taken over from the dead', () => {
  const file = join(folder, 'pids', 'master.json')
  const release = claimPidFile(file, { startedMs: 1000, rpcPort: 1, webPort: 2 })
  expect(runningProcess(file)).toMatchObject({ pid: process.pid, startedMs: 1000 })
  expect(() => claimPidFile(file, { startedMs: 2000, rpcPort: 1, webPort: 2 })).toThrow(
    expect.objectContaining({ code: 'CONFLICT', reason: 'ALREADY_RUNNING' }),
  )
  release()
  expect(existsSync(file)).toBe(false)
  // The same pid, another process: what a recycled pid looks like.
  writeFileSync(file, JSON.stringify({ pid: process.pid, born: 'another boot:1', startedMs: 0 }))
  expect(runningProcess(file)).toBeUndefined()
  claimPidFile(file, { startedMs: 3000, rpcPort: 1, webPort: 2 })()
  expect(bornAt(process.pid)).toBe(bornAt(process.pid))
})

test('stop leaves a process alone that only bears the pid of the daemon', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  try {
    mkdirSync(join(folder, 'pids'))
    writeFileSync(
      join(folder, 'pids', 'master.json'),
      JSON.stringify({ pid: other.pid, born: 'another boot:1', startedMs: 0 }),
    )
    const config = configure()
    expect(await daemonStatus(config, 'master')).toMatchObject({ state: 'crashed' })
    expect(await stopDaemon(config, { name: 'master', deadlineMs: 100 }, { runtime: systemRuntime })).toBe(
      'absent',
    )
    expect(other.exitCode).toBeNull()
  } finally {
    other.kill('SIGKILL')
  }
})

test('a damaged pid file names nobody', () => {
  const file = join(folder, 'worker.json')
  for (const text of [
    '',
    '{',
    '{"pid":1,"born":"x"}',
    '{"pid":-5,"born":"x"}',
    '[]',
    'null',
    '{"pid":"7"}',
  ]) {
    writeFileSync(file, text)
    expect(runningProcess(file)).toBeUndefined()
  }
})

test('stop asks, waits, and kills what does not listen', async () => {
  const config = configure()
  const script = 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'
  const deaf = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise((resolve) => deaf.stdout.once('data', resolve))
  mkdirSync(join(folder, 'pids'))
  writeFileSync(
    join(folder, 'pids', 'worker.json'),
    JSON.stringify({ pid: deaf.pid, born: bornAt(deaf.pid!), startedMs: 0 }),
  )
  expect(await stopDaemon(config, { name: 'worker', deadlineMs: 200 }, { runtime: systemRuntime })).toBe(
    'killed',
  )
  expect(await stopDaemon(config, { name: 'worker', deadlineMs: 200 }, { runtime: systemRuntime })).toBe(
    'absent',
  )
})

test('a daemon that ends while starting is reported with its last words', async () => {
  const config = configure({ 'alluxio.master.rpc.port': '0', 'alluxio.master.web.port': '0' })
  const script = join(folder, 'broken.mjs')
  writeFileSync(
    script,
    'console.error(JSON.stringify({ time: "2026-01-01T10:00:00.000Z", level: "error", message: "no disk", error: { message: "ENOSPC" } })); process.exit(3)',
  )
  const start = startDaemon(
    config,
    { name: 'master', deadlineMs: 10_000, signal: new AbortController().signal },
    { runtime: systemRuntime, command: [process.execPath, script], env: process.env },
  )
  await expect(start).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    reason: 'START_FAILED',
    message: expect.stringContaining('10:00:00.000 error no disk: ENOSPC'),
  })
})

test('a port in use names its holder and the key that chooses another', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    expect(portHolder(port)).toMatchObject({ pid: process.pid })
    await expect(
      checkPort({ protocol: 'RPC', host: '127.0.0.1', port, key: 'alluxio.master.rpc.port' }, 'the RPC port'),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'ADDRESS_IN_USE',
      message: expect.stringContaining(`pid ${process.pid}`),
      details: { suggestions: [expect.stringContaining('-Dalluxio.master.rpc.port='), expect.any(String)] },
    })
  } finally {
    server.close()
  }
  await checkPort({ protocol: 'RPC', host: '127.0.0.1', port: 0, key: 'k' }, 'any port')
})

test('a log rotates when it has grown large, and its tail is readable', () => {
  const file = join(folder, 'logs', 'master.log')
  closeSync(openLog(file))
  writeFileSync(file, 'first\n')
  truncateSync(file, 17 * 2 ** 20)
  closeSync(openLog(file))
  expect(readFileSync(`${file}.1`).length).toBe(17 * 2 ** 20)
  writeFileSync(
    file,
    'plain\n{"time":"2026-01-01T10:00:00.000Z","level":"info","message":"up","port":1}\n{broken\n',
  )
  expect(tailLog(file, 2)).toEqual(['10:00:00.000 info up {"port":1}', '{broken'])
  expect(tailLog(join(folder, 'none'), 5)).toEqual([])
})

test('format deletes metadata and blocks, keeps folders, under-store and what is not ours, and refuses under a daemon', () => {
  const config = configure()
  format(config)
  expect(whatFormatDeletes(config)).toEqual({ folders: [] })
  mkdirSync(join(folder, 'mem'))
  const ours = [
    'mem/b1048576_100.arrow',
    'mem/b1048577_100.sole.arrow',
    'mem/tmp_1_2',
    'metastore/namespace.mdb',
    'worker.json',
  ]
  const others = ['mem/photo.arrow', 'mem/notes', 'metastore/README', 'underFSStorage/mine']
  for (const name of [...ours, ...others]) writeFileSync(join(folder, name), name)
  expect(whatFormatDeletes(config)).toEqual({ folders: [join(folder, 'metastore'), join(folder, 'mem')] })
  const release = claimPidFile(join(folder, 'pids', 'worker.json'), { startedMs: 0, rpcPort: 1, webPort: 2 })
  expect(() => format(config)).toThrow(expect.objectContaining({ code: 'CONFLICT', reason: 'DAEMON_RUNS' }))
  release()
  format(config)
  expect(ours.filter((name) => existsSync(join(folder, name)))).toEqual([])
  expect(others.filter((name) => !existsSync(join(folder, name)))).toEqual([])
})
