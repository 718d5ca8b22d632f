/** GlusterFS that hangs, dies and comes back while it is read, written, listed and renamed. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { type GlusterServer, startGluster } from '../../support/servers/gluster.ts'
import { ifAvailable } from '../../support/servers/index.ts'

const MIB = 2 ** 20
const { server: started, reason } = await ifAvailable(startGluster)
const server = started as GlusterServer
afterAll(() => started?.stop())

const open = (options: Record<string, string> = {}) =>
  openStore(`glusterfs://${server.host}/${server.volume}`, options, {
    runtime: systemRuntime,
    log: silentLog,
  })
const HASTY = {
  'alluxio.underfs.retry.max.duration': '0',
  'alluxio.underfs.timeout': '1s',
  'alluxio.underfs.stall.timeout': '3s',
}
/** As the layers do it: again and again while the volume is away. */
const PATIENT = {
  'alluxio.underfs.retry.max.duration': '40s',
  'alluxio.underfs.retry.max.sleep': '500ms',
  'alluxio.underfs.timeout': '2s',
  'alluxio.underfs.stall.timeout': '3s',
}

function block(index: number): Uint8Array {
  return new Uint8Array(MIB).map((_, i) => (i * 7 + index * 13 + (i >>> 9)) & 255)
}

async function write(store: UnderStore, path: string, blocks: number, between?: (i: number) => unknown) {
  const writer = await store.create(path)
  for (let i = 0; i < blocks; i++) {
    await between?.(i)
    await writer.write(block(i))
  }
  return writer.close()
}

async function readWhole(
  store: UnderStore,
  path: string,
  between?: (bytes: number) => unknown,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40 })) {
    chunks.push(chunk)
    bytes += chunk.length
    await between?.(bytes)
  }
  return Buffer.concat(chunks)
}

const whole = (blocks: number) => Buffer.concat(Array.from({ length: blocks }, (_, i) => block(i)))

async function names(store: UnderStore): Promise<string[]> {
  const all: string[] = []
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await store.list('', { limit: 10, ...(cursor === undefined ? {} : { cursor }) })
    all.push(...page.entries.map((entry) => entry.path))
    cursor = page.cursor
    more = cursor !== undefined
  }
  return all.sort()
}

const suite = reason === undefined ? describe : describe.skip
suite('GlusterFS', () => {
  beforeEach(async () => {
    const store = await open(PATIENT)
    await store.status('')
    await store.close()
  }, 60_000)

  test('a brick that hangs: callers are answered, the daemon goes on, too much is refused, and it heals', async () => {
    const store = await open(HASTY)
    await write(store, 'hung', 2)
    await server.pause()
    const since = performance.now()
    const calls = [store.status('a'), store.list(''), store.status('c'), store.rename('hung', 'x')]
    const outcomes = await Promise.allSettled(calls)
    expect(performance.now() - since).toBeLessThan(5000)
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: expect.stringMatching(/TIMEOUT|UNAVAILABLE/) },
      })
    }
    // Both threads of the volume are held: nothing more is sent after them.
    const refused = performance.now()
    await expect(store.status('d')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'CALLS_STUCK',
      message: expect.stringMatching(/v0 of .* has not answered glfs_/),
    })
    expect(performance.now() - refused).toBeLessThan(500)
    // The daemon's own files are served by the other threads.
    const own = performance.now()
    await (await import('node:fs/promises')).readFile('package.json')
    expect(performance.now() - own).toBeLessThan(500)
    // The library takes a silent brick for gone, and the threads come back by themselves.
    await pause(7000)
    await expect(store.status('d')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'ENOTCONN' })
    await server.resume()
    await store.close()
    const again = await open(PATIENT)
    expect((await readWhole(again, 'hung')).equals(whole(2))).toBe(true)
    await again.close()
  }, 60_000)

  test('a read goes on where it was when the volume is back', async () => {
    const store = await open(PATIENT)
    await write(store, 'read', 40)
    let killed = false
    const bytes = await readWhole(store, 'read', async (seen) => {
      if (killed || seen < 8 * MIB) return
      killed = true
      await server.kill()
      setTimeout(() => void server.restart(), 2000)
    })
    expect(bytes.equals(whole(40))).toBe(true)
    await store.close()
  }, 90_000)

  test('a write that the volume dies under fails, nothing of it is seen, and the next one succeeds', async () => {
    const store = await open(HASTY)
    const failing = write(store, 'written', 40, async (i) => {
      if (i === 20) await server.kill()
    })
    await expect(failing).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    await store.close()
    const again = await open(PATIENT)
    await expect(again.status('written')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await write(again, 'written', 3)
    expect((await readWhole(again, 'written')).equals(whole(3))).toBe(true)
    await again.close()
  }, 90_000)

  test('a listing and a rename go through a death of the volume', async () => {
    const store = await open(PATIENT)
    for (let i = 0; i < 25; i++) await write(store, `n-${i}`, 0)
    const before = await names(store)
    const first = await store.list('', { limit: 10 })
    await server.kill()
    setTimeout(() => void server.restart(), 1500)
    const rest: string[] = []
    for (let { cursor } = first; cursor !== undefined; ) {
      const page = await store.list('', { limit: 10, cursor })
      rest.push(...page.entries.map((entry) => entry.path))
      cursor = page.cursor
    }
    expect([...first.entries.map((entry) => entry.path), ...rest].sort()).toEqual(before)
    await server.kill()
    // A rename may have happened without an answer, so the layers do not repeat it: who asked looks, and asks again.
    await expect(store.rename('n-0', 'renamed')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    expect((await store.status('n-0')).directory).toBe(false)
    await store.rename('n-0', 'renamed')
    expect(await names(store)).toEqual([...before.filter((name) => name !== 'n-0'), 'renamed'].sort())
    await store.close()
  }, 120_000)

  test('without glusterd a volume that is open goes on; opening one fails and says why', async () => {
    const store = await open(HASTY)
    await write(store, 'kept', 1)
    await server.killGlusterd()
    expect((await readWhole(store, 'kept')).equals(whole(1))).toBe(true)
    const other = await openStore(
      `glusterfs://${server.host}/${server.volume}/x`,
      { ...HASTY, 'alluxio.underfs.timeout': '5s' },
      {
        runtime: systemRuntime,
        log: silentLog,
      },
    )
    await expect(other.status('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('check that glusterd'),
    })
    await server.restart()
    await Promise.all([store.close(), other.close()])
  }, 60_000)
})
