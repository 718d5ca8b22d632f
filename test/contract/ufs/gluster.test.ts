/** GlusterFS through libgfapi and mounted, against Debian's glusterd: the suite, and what is GlusterFS's own. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { Metrics, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { type FaultOptions, openStore, type UnderStore } from '../../../src/ufs/index.ts'
import { type GlusterServer, startGluster } from '../../support/servers/gluster.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const { server: started, reason } = await ifAvailable(startGluster)
const server = started as GlusterServer
afterAll(() => started?.stop())

function open(
  path: string,
  options: Record<string, string> = {},
  faults?: FaultOptions,
): Promise<UnderStore> {
  return openStore(`glusterfs://${server.host}/${server.volume}${path}`, options, {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
    ...(faults === undefined ? {} : { faults }),
  })
}
const MOUNT = 'alluxio.underfs.glusterfs.mount'
const SMALL = { largeCount: 60, largeBytes: 20 * 2 ** 20 }

/** A store below a folder that it makes. */
async function made(opening: Promise<UnderStore>): Promise<UnderStore> {
  const store = await opening
  await store.mkdir('')
  return store
}

if (reason === undefined) {
  await ufsSuite('GlusterFS, a whole volume', open(''))
  await ufsSuite(
    'GlusterFS, a folder of a volume, synced',
    made(open('/below/a folder', { 'alluxio.underfs.local.sync': 'true' })),
    SMALL,
  )
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  await ufsSuite(
    'GlusterFS through faults',
    made(open('/faults', { 'alluxio.underfs.retry.base.sleep': '2' }, faults)),
    SMALL,
  )
  await ufsSuite('GlusterFS, mounted', made(open('/mounted', { [MOUNT]: await server.mount() })), SMALL)
} else {
  skippedUfsSuite('GlusterFS', reason)
}

const suite = reason === undefined ? describe : describe.skip
suite('GlusterFS', () => {
  async function put(store: UnderStore, path: string, text: string): Promise<void> {
    const writer = await store.create(path)
    await writer.write(Buffer.from(text))
    await writer.close()
  }
  async function names(store: UnderStore, path: string, limit: number): Promise<string[]> {
    const all: string[] = []
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await store.list(path, {
        limit,
        recursive: true,
        ...(cursor === undefined ? {} : { cursor }),
      })
      all.push(...page.entries.map((entry) => entry.path))
      cursor = page.cursor
      more = cursor !== undefined
    }
    return all
  }

  test('links inside the folder are followed, those out of it are refused, and not gone into by listings', async () => {
    const folder = await server.mount()
    mkdirSync(join(folder, 'links/inside'), { recursive: true })
    writeFileSync(join(folder, 'links/inside/file'), 'seen')
    writeFileSync(join(folder, 'outside'), 'secret')
    for (const [name, target] of [
      ['in', 'inside/file'],
      ['dir', 'inside'],
      ['out', '../outside'],
      ['up', '..'],
      ['nowhere', 'nothing'],
      ['round', 'round'],
      ['twice', 'in'],
    ]) {
      symlinkSync(target!, join(folder, 'links', name!))
    }
    const store = await open('/links')
    expect(await names(store, '', 100)).toEqual(
      expect.arrayContaining(['in', 'dir', 'twice', 'inside', 'inside/file']),
    )
    expect(await names(store, '', 100)).toHaveLength(5)
    expect((await store.status('in')).length).toBe(4)
    expect((await store.status('twice')).length).toBe(4)
    expect((await store.status('dir/file')).length).toBe(4)
    for (const path of ['out', 'up', 'up/outside']) {
      await expect(store.status(path)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        reason: 'SYMLINK_ESCAPE',
      })
    }
    // The library itself would end the process here.
    for (const path of ['round', 'round/file']) {
      await expect(store.status(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'ELOOP' })
    }
    const reading = store.open('out', { offset: 0, length: 10 })[Symbol.asyncIterator]()
    await expect(reading.next()).rejects.toMatchObject({ reason: 'SYMLINK_ESCAPE' })
    await store.delete('', { recursive: true }).catch(() => {})
    await store.close()
    await server.unmount(folder)
  })

  test('a name that is no UTF-8 is not listed, and its directory not deleted half', async () => {
    const folder = await server.mount()
    mkdirSync(join(folder, 'bytes'))
    writeFileSync(Buffer.concat([Buffer.from(join(folder, 'bytes/')), Buffer.from([0x66, 0xff, 0x66])]), 'x')
    writeFileSync(join(folder, 'bytes/plain'), 'x')
    const store = await open('')
    expect(await names(store, 'bytes', 10)).toEqual(['bytes/plain'])
    await expect(store.delete('bytes', { recursive: true })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      reason: 'NOT_UTF8',
    })
    expect(await names(store, 'bytes', 10)).toEqual(['bytes/plain'])
    await store.close()
    await server.unmount(folder)
  })

  test('a page costs what it shows: the position is the bricks own', async () => {
    const store = await made(open('/pages'))
    for (let i = 0; i < 40; i++) await put(store, `d${i % 4}/file-${i}`, 'x')
    const whole = await names(store, '', 1000)
    expect(whole).toHaveLength(44)
    for (const limit of [1, 7, 43]) expect(await names(store, '', limit)).toEqual(whole)
    await expect(store.list('', { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await store.close()
  })

  test('a write that is broken off leaves nothing on the brick; a file is whole or absent', async () => {
    const store = await made(open('/atomic'))
    const writer = await store.create('file')
    await writer.write(Buffer.alloc(3_000_000, 1))
    expect(readdirSync(join(server.brick, 'atomic'))).toEqual([expect.stringMatching(/^\.alluxio-.*\.tmp$/)])
    await writer.abort()
    expect(readdirSync(join(server.brick, 'atomic'))).toEqual([])
    await put(store, 'file', 'content')
    expect(readFileSync(join(server.brick, 'atomic/file'), 'utf8')).toBe('content')
    await store.close()
  })

  test('what a killed writer left goes with a listing that sweeps; what is being written stays', async () => {
    const store = await made(open('/swept', { 'alluxio.underfs.temporary.max.age': '2s' }))
    const left = '.alluxio-0123456789abcdef.tmp'
    const folder = await server.mount()
    // Flushed: the mount writes behind, and a file changes when its bytes arrive.
    writeFileSync(join(folder, 'swept', left), 'half', { flush: true })
    const writer = await store.create('file')
    await writer.write(Buffer.from('content'))
    const brick = () => readdirSync(join(server.brick, 'swept'))
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect((await store.list('')).entries).toEqual([])
    expect(brick()).toHaveLength(2)
    expect((await store.list('', { sweep: true })).entries).toEqual([])
    for (let i = 0; i < 500 && brick().includes(left); i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(brick()).toEqual([expect.not.stringContaining(left)])
    await writer.close()
    await store.close()
    expect(brick()).toEqual(['file'])
    expect(readFileSync(join(server.brick, 'swept/file'), 'utf8')).toBe('content')
  })

  test('what another client writes is seen at once', async () => {
    const folder = await server.mount()
    const store = await open('')
    const seen: number[] = []
    for (const length of [1, 22, 333]) {
      writeFileSync(join(folder, 'other'), 'x'.repeat(length))
      seen.push((await store.status('other')).length)
      const listed = (await store.list('')).entries.find(({ path }) => path === 'other')
      seen.push(listed?.length ?? -1)
    }
    expect(seen).toEqual([1, 1, 22, 22, 333, 333])
    await store.close()
    await server.unmount(folder)
  })

  test('addresses, volumes and libraries that are not there say what to do', async () => {
    const hasty = { 'alluxio.underfs.retry.max.duration': '0' }
    for (const uri of [
      'glusterfs:///v0',
      'glusterfs://host',
      'glusterfs://host/bad volume',
      'glusterfs://host:99999/v0',
    ]) {
      const opening = openStore(uri, {}, { runtime: systemRuntime, log: silentLog })
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_UFS_URI' })
    }
    const status = async (uri: string, options = {}) => {
      const store = await openStore(uri, { ...hasty, ...options }, { runtime: systemRuntime, log: silentLog })
      return store.status('').finally(() => store.close())
    }
    await expect(status(`glusterfs://${server.host}/missing`)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'VOLUME_MISSING',
      message: expect.stringContaining('gluster volume start'),
    })
    await expect(status('glusterfs://127.0.0.1:9/v0')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const library = { 'alluxio.underfs.glusterfs.library': 'libgfapi-not-there.so' }
    await expect(status(`glusterfs://${server.host}/${server.volume}`, library)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      reason: 'LIBRARY_MISSING',
      message: expect.stringMatching(/libgfapi0.*alluxio\.underfs\.glusterfs\.mount/),
    })
    // The first host that answers is used.
    const hosts = `127.0.0.1:9,${server.host}:24007`
    expect((await status(`glusterfs://${hosts}/${server.volume}`)).directory).toBe(true)
  })

  test('a folder that is no mount of the volume is refused, also when it is unmounted later', async () => {
    const hasty = { 'alluxio.underfs.retry.max.duration': '0' }
    const plain = scratchFolder('no-mount')
    const wrong = await open('', { ...hasty, [MOUNT]: plain.path })
    await expect(wrong.status('')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'NOT_MOUNTED' })
    plain.remove()

    const folder = await server.mount()
    const other = await openStore(
      `glusterfs://${server.host}/other`,
      { ...hasty, [MOUNT]: folder },
      { runtime: systemRuntime, log: silentLog },
    )
    await expect(other.status('')).rejects.toMatchObject({
      reason: 'NOT_MOUNTED',
      message: expect.stringContaining('fuse.glusterfs'),
    })
    const store = await open('', { ...hasty, [MOUNT]: folder })
    await put(store, 'by mount', 'x')
    await server.unmount(folder)
    await expect(store.status('by mount')).rejects.toMatchObject({ reason: 'NOT_MOUNTED' })
    await expect(store.create('lost')).rejects.toMatchObject({ reason: 'NOT_MOUNTED' })
    expect(readdirSync(folder)).toEqual([])
    await expect(
      store.open('by mount', { offset: 0, length: 1 })[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({
      reason: 'NOT_MOUNTED',
    })
    await store.close()
  })
})
