/** A plug-in that does wrong is ended and named; what it had in flight fails; it comes back, or is cut off. */
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { Config } from '../../../src/core/config/index.ts'
import '../../../src/core/options/index.ts'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, StorePlugIns, type UnderStore } from '../../../src/ufs/index.ts'
import { patternBytes } from '../../support/cluster.ts'
import { scratchFolder } from '../../support/servers/process.ts'

const folder = scratchFolder('isolation')
const UNRULY = resolve('test/support/unruly-store/unruly.mjs')
const opened: UnderStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(() => folder.remove())

const plugInsOf = (more: Readonly<Record<string, string>> = {}, module = UNRULY) =>
  StorePlugIns.of(
    Config.load({
      env: { ALLUXIO_DATA: folder.path },
      overrides: {
        'alluxio.underfs.modules': `unruly=${module}`,
        'alluxio.underfs.plugin.silence': '2s',
        'alluxio.underfs.plugin.memory': '64MB',
        'alluxio.underfs.plugin.failures.max': '100',
        ...more,
      },
    }),
  )

/** Errors come as they are: nothing is tried again. */
async function open(
  plugIns = plugInsOf(),
  options: Readonly<Record<string, string>> = {},
): Promise<UnderStore> {
  const store = await openStore(
    'unruly://shelf',
    { 'shelf.root': folder.path, 'alluxio.underfs.retry.max.duration': '0ms', ...options },
    { runtime: systemRuntime, log: silentLog, plugIns },
  )
  opened.push(store)
  return store
}

async function put(store: UnderStore, path: string, bytes: Uint8Array): Promise<void> {
  const writer = await store.create(path)
  await writer.write(bytes)
  await writer.close()
}

async function get(store: UnderStore, path: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40 })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const failureOf = (running: Promise<unknown>) =>
  running.then(
    () => undefined,
    (error: Error & { code: string; reason?: string }) => error,
  )

describe('a thread that is ended', () => {
  test.each([
    ['loop', 'UFS_PLUGIN_HUNG', 'did not answer for 2 s'],
    ['throw-in-a-timer', 'UFS_PLUGIN_DIED', 'threw outside of any call: a stray throw'],
    ['stray-rejection', 'UFS_PLUGIN_DIED', 'threw outside of any call: a stray rejection'],
    ['exit', 'UFS_PLUGIN_DIED', 'ended its thread with status 3'],
    ['leak-heap', 'UFS_PLUGIN_MEMORY', 'used up its memory of 64 MB'],
    ['leak-buffers', 'UFS_PLUGIN_MEMORY', 'MB of buffers'],
  ])(
    '%s: all that was in flight fails by its name, and the next call finds it again',
    async (wrong, reason, says) => {
      const store = await open()
      await put(store, 'file', patternBytes(1, 1000))
      const other = failureOf(store.status('hang'))
      const error = await failureOf(store.status(wrong))
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason, message: expect.stringContaining(says) })
      expect(error?.message).toContain(`plug-in "${UNRULY}"`)
      expect(await other).toMatchObject({ code: 'UNAVAILABLE', reason })
      expect((await store.status('file')).length).toBe(1000)
    },
  )
})

test('a call that hangs ends at its deadline, which names the plug-in; others go on', async () => {
  const store = await open(plugInsOf(), { 'alluxio.underfs.timeout': '500ms' })
  await put(store, 'file', patternBytes(1, 1000))
  const hanging = failureOf(store.status('hang'))
  expect((await store.status('file')).length).toBe(1000)
  const error = await hanging
  expect(error).toMatchObject({ code: 'TIMEOUT' })
  expect(error?.message).toContain(`no answer from plug-in "${UNRULY}"`)
})

test('calls that were given up and never end are a leak: with sixteen of them the thread is ended', async () => {
  const plugIns = plugInsOf()
  const hasty = await open(plugIns, { 'alluxio.underfs.timeout': '300ms' })
  const patient = await open(plugIns)
  const waiting = failureOf(patient.status('hang'))
  await Promise.all(Array.from({ length: 16 }, () => failureOf(hasty.status('hang'))))
  expect(await waiting).toMatchObject({
    reason: 'UFS_PLUGIN_HUNG',
    message: expect.stringContaining('never ended 16 calls that were given up'),
  })
})

test('a read resumes in the new thread, byte for byte', async () => {
  const bytes = patternBytes(3, 8 * 2 ** 20)
  const plugIns = plugInsOf()
  const store = await open(plugIns, { 'alluxio.underfs.retry.max.duration': '30s' })
  const culprit = await open(plugIns)
  await put(store, 'large', bytes)
  const chunks: Buffer[] = []
  let killed = false
  for await (const chunk of store.open('large', { offset: 0, length: bytes.length })) {
    chunks.push(Buffer.from(chunk))
    if (killed) continue
    killed = true
    await failureOf(culprit.status('exit'))
  }
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
})

test('a read whose store dies in the middle fails by name when nothing is tried again', async () => {
  const store = await open()
  await put(store, 'half', patternBytes(4, 8 * 2 ** 20))
  expect(await failureOf(get(store, 'half@exit'))).toMatchObject({ reason: 'UFS_PLUGIN_DIED' })
})

test('a write whose thread dies fails, and nothing of it is visible', async () => {
  const store = await open()
  await store.mkdir('')
  const writer = await store.create('lost')
  await writer.write(patternBytes(5, 1000))
  await failureOf(store.status('exit'))
  expect(await failureOf(writer.close())).toMatchObject({ code: 'UNAVAILABLE', reason: 'UFS_PLUGIN_DIED' })
  await writer.abort()
  expect(await failureOf(store.status('lost'))).toMatchObject({ code: 'NOT_FOUND' })
})

test('what a store answers wrongly is an error of that call alone', async () => {
  const store = await open()
  expect(await failureOf(store.status('no-status'))).toMatchObject({
    message: expect.stringContaining('answered no status'),
  })
  expect(await failureOf(store.status('no-clone'))).toMatchObject({
    message: expect.stringContaining('answered no status'),
  })
  expect(await failureOf(store.status('foreign'))).toMatchObject({
    message: expect.stringContaining('a string'),
  })
  await store.mkdir('')
  expect((await store.status('')).directory).toBe(true)
})

test('a reader that takes nothing holds back the store', async () => {
  const store = await open()
  await put(store, 'wide', patternBytes(6, 64 * 2 ** 20))
  const before = process.memoryUsage().arrayBuffers
  const reading = store.open('wide', { offset: 0, length: 2 ** 40 })[Symbol.asyncIterator]()
  await reading.next()
  await pause(1000)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20)
  await reading.return?.()
})

describe('a plug-in that fails too often', () => {
  const module = join(folder.path, 'package', 'module.mjs')
  const cutOff = async () => {
    mkdirSync(join(folder.path, 'package'), { recursive: true })
    writeFileSync(module, `export { default } from '${UNRULY}'`)
    const plugIns = plugInsOf({ 'alluxio.underfs.plugin.failures.max': '3' }, module)
    const store = await open(plugIns)
    for (let i = 0; i < 3; i++) {
      expect(await failureOf(store.status('exit'))).toMatchObject({ reason: 'UFS_PLUGIN_DIED' })
    }
    return { plugIns, store }
  }

  test('is cut off at once, for mounts that are open and new ones, with what it did last', async () => {
    const { plugIns, store } = await cutOff()
    const refusal = {
      code: 'UNAVAILABLE',
      reason: 'UFS_PLUGIN_CUT_OFF',
      message: expect.stringMatching(/failed 3 times within 300 s.* status 3.*Install it again, or restart/),
    }
    expect(await failureOf(store.status(''))).toMatchObject(refusal)
    expect(await failureOf(open(plugIns, { 'alluxio.underfs.retry.max.duration': '60s' }))).toMatchObject(
      refusal,
    )
  })

  test('and let in again when it is installed anew', async () => {
    const { store } = await cutOff()
    expect(await failureOf(store.mkdir(''))).toMatchObject({ reason: 'UFS_PLUGIN_CUT_OFF' })
    utimesSync(module, 1, 1)
    await store.mkdir('')
    rmSync(module)
  })
})
