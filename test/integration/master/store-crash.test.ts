/** kill -9 of a master between the step in the under-store and the step in the namespace: the next life settles it, once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { connectFileSystem, type FileSystem } from '../../../src/client/index.ts'
import { Config } from '../../../src/core/config/index.ts'
import { silentLog } from '../../../src/core/index.ts'
import '../../../src/core/options/index.ts'
import { kill } from '../data/cluster.ts'

const PROGRAM = new URL('./dying-master.ts', import.meta.url).pathname

let folder: string
let master: ChildProcess
let port = '0'
let fs: FileSystem

/** A master that dies in `operation`, on the metadata and at the address of the one before. */
async function serve(operation = 'none', moment = 'after'): Promise<void> {
  master = spawn(process.execPath, [PROGRAM, folder, port, operation, moment], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(master.stdout!, 'data')
  port = String(line).trim()
}

const inStore = (...path: string[]) => join(folder, 'ufs', ...path)

/** Begins a call, waits until the master has died of it and starts the next one: the client's repeat is answered by it. */
async function survived<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {})
  await once(master, 'exit')
  expect(master.signalCode).toBe('SIGKILL')
  await serve()
  return call
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alluxio-crash-'))
  mkdirSync(inStore('d', 'sub'), { recursive: true })
  writeFileSync(inStore('d', 'one'), 'one')
  writeFileSync(inStore('d', 'sub', 'two'), 'two')
})
afterEach(async () => {
  await fs?.close()
  await kill(master)
  port = '0'
  await rm(folder, { recursive: true, force: true })
})

describe.each(['before', 'after'])('killed %s the store has done it', (moment) => {
  const dieIn = async (operation: string) => {
    await serve(operation, moment)
    const config = Config.load({ env: { ALLUXIO_DATA: join(folder, 'client'), ALLUXIO_HOME: folder } })
    fs = await connectFileSystem({ master: `127.0.0.1:${port}`, user: 'tester' }, { config, log: silentLog })
  }
  const names = async (path: string) => {
    const found: string[] = []
    for await (const { name } of fs.list(path)) found.push(name)
    return found.sort()
  }

  test('rename of a file', async () => {
    await dieIn('rename')
    await survived(fs.rename('/d/one', '/d/sub/uno'))
    expect(readFileSync(inStore('d', 'sub', 'uno'), 'utf8')).toBe('one')
    expect(existsSync(inStore('d', 'one'))).toBe(false)
    expect(await names('/d')).toEqual(['sub'])
    expect(await names('/d/sub')).toEqual(['two', 'uno'])
    expect((await fs.getStatus('/d/sub/uno')).persisted).toBe(true)
  }, 60_000)

  test('rename of a directory', async () => {
    await dieIn('rename')
    await survived(fs.rename('/d', '/e'))
    expect(readdirSync(inStore())).toEqual(['e'])
    expect(await names('/')).toEqual(['e'])
    expect(await names('/e')).toEqual(['one', 'sub'])
  }, 60_000)

  test('delete of a directory', async () => {
    await dieIn('delete')
    await survived(fs.delete('/d', { recursive: true }))
    expect(readdirSync(inStore())).toEqual([])
    expect(await names('/')).toEqual([])
  }, 60_000)

  test('mkdir through', async () => {
    await dieIn('mkdir')
    await survived(fs.mkdir('/d/new', { writeType: 'THROUGH' }))
    expect(readdirSync(inStore('d')).sort()).toEqual(['new', 'one', 'sub'])
    expect((await fs.getStatus('/d/new')).persistenceState).toBe('PERSISTED')
  }, 60_000)

  test('what nobody repeats is settled all the same, and its name is free again', async () => {
    await dieIn('rename')
    fs.rename('/d/one', '/d/uno').catch(() => {})
    await once(master, 'exit')
    await fs.close()
    await serve()
    const config = Config.load({ env: { ALLUXIO_DATA: join(folder, 'client'), ALLUXIO_HOME: folder } })
    fs = await connectFileSystem({ master: `127.0.0.1:${port}`, user: 'tester' }, { config, log: silentLog })
    await fs.mkdir('/d/one', { writeType: 'THROUGH' })
    expect(await names('/d')).toEqual(['one', 'sub', 'uno'])
    expect(readdirSync(inStore('d')).sort()).toEqual(['one', 'sub', 'uno'])
  }, 60_000)
})
