/** The JVM client on real daemons: short circuit, and what happens when it fails. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../support/cluster.ts'
import { growth } from '../../support/counters.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { javaAndMaven } from '../../support/servers/maven.ts'
import { complete } from '../../support/servers/process.ts'
import { readWhole, writeWhole } from '../../support/whole-file.ts'
import { hadoopJar } from '../gateways.ts'
import { Jvm } from './jvm.ts'

const MIB = 2 ** 20
const LENGTH = 20 * MIB + 4321
const SMALL_BLOCKS = { 'alluxio.user.block.size.bytes.default': '4MB' }
const { reason } = await ifAvailable(async () => {
  await javaAndMaven()
  return { stop: async () => {} }
})
let cluster: Cluster
let fs: FileSystem
const jvms: Jvm[] = []

beforeAll(async () => {
  if (reason !== undefined) return
  cluster = await Cluster.start({
    workers: 2,
    proxy: true,
    properties: SMALL_BLOCKS,
  })
  fs = await cluster.connect(SMALL_BLOCKS)
}, 300_000)
afterEach(async () => {
  await Promise.all(jvms.splice(0).map((jvm) => jvm.stop()))
})
afterAll(() => cluster?.dispose())

async function start(mode = '-', user = 'root'): Promise<Jvm> {
  const jvm = await Jvm.start(cluster.webHdfs, { mode, user })
  jvms.push(jvm)
  return jvm
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Tier files of all workers, by folder. */
function tierFiles(): string[] {
  return cluster.memoryFolders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.arrow'))
      .map((name) => join(folder, name)),
  )
}

/** The tier file of the only block of a file. */
async function tierFileOf(path: string): Promise<string> {
  const [block] = await fs.blockPlaces(path)
  return tierFiles().find((file) => file.includes(`/b${block!.blockId}_`))!
}

const suite = reason === undefined ? describe : describe.skip
suite(`the JVM client${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('its own tests pass', async () => {
    await hadoopJar()
    await complete({
      binary: 'mvn',
      args: ['-q', '-B', '-f', 'plugins/pom.xml', '-pl', 'jvm-client', 'test'],
    })
  }, 300_000)

  test('a warm file on this host is read from its tier files, by no request', async () => {
    const bytes = patternBytes(1, LENGTH)
    await writeWhole(fs, '/warm', bytes, 'MUST_CACHE')
    const jvm = await start()
    expect(await jvm.ask('open', 'a', '/warm')).toBe(String(LENGTH))
    expect(await jvm.ask('read', 'a', 0, LENGTH, MIB)).toBe(sha(bytes))
    expect(await jvm.ask('read', 'a', 4 * MIB - 7, 8 * MIB + 11, 4096)).toBe(
      sha(bytes.subarray(4 * MIB - 7, 8 * MIB + 11)),
    )
    expect(await jvm.tally()).toEqual({
      localBytes: LENGTH + 4 * MIB + 18,
      remoteBytes: 0,
      dataRequests: 0,
      failedSources: 0,
    })
    const folder = cluster.folder.slice(cluster.folder.lastIndexOf('/') + 1)
    expect(Number(await jvm.ask('maps', folder))).toBeGreaterThan(0)
    await jvm.ask('close', 'a')
    expect(await jvm.ask('maps', folder)).toBe('0')
  }, 120_000)

  test('a small file is read by one call of the gateway, a thousand are listed with their places by one', async () => {
    const files = Array.from({ length: 1000 }, (_, i) => `/small/${String(i).padStart(4, '0')}`)
    for (let at = 0; at < files.length; at += 50) {
      const some = files.slice(at, at + 50)
      await Promise.all(some.map((path) => writeWhole(fs, path, patternBytes(at, 4096), 'MUST_CACHE')))
    }
    const jvm = await start()
    await jvm.ask('each', '/small')
    const calls = ['OPENFILE', 'LISTLOCATED', undefined].map(
      (op) => [[cluster.proxy!], 'alluxio_proxy_webhdfs_requests_total', op] as const,
    )
    const master = ['open', 'list', 'blocksOfFiles', 'blocks'].map(
      (method) => [[cluster.master], 'rpc_calls_total', `master.fs.${method}`] as const,
    )
    const asked = [cluster.workers, 'rpc_calls_total', 'worker.block.localPath'] as const
    const grown = await growth([...calls, ...master, asked], async () => {
      expect(await jvm.ask('each', '/small')).toBe(`1000 files, 1000 places, ${1000 * 4096} bytes`)
    })
    expect(grown).toEqual([1000, 1, 1001, 1000, 1, 1, 0, 0])
    expect(await jvm.tally()).toMatchObject({ remoteBytes: 0, dataRequests: 0, failedSources: 0 })
  }, 120_000)

  test('what became of a small file between its opening and its reading', async () => {
    const jvm = await start()
    const bytes = patternBytes(14, 5000)
    const fates: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
      evicted: (path) => fs.free(path),
      persisted: async (path) => {
        await fs.persist(path)
        await until(async () => (await fs.getStatus(path)).persisted)
      },
      // Where nobody looks for it.
      moved: async (path) => {
        const file = await tierFileOf(path)
        renameSync(file, `${file}.elsewhere`)
      },
    }
    for (const [fate, befall] of Object.entries(fates)) {
      const path = `/fate-${fate}`
      await writeWhole(fs, path, bytes, fate === 'persisted' ? 'MUST_CACHE' : 'CACHE_THROUGH')
      await jvm.ask('open', fate, path)
      await befall(path)
      expect(await jvm.ask('read', fate, 0, bytes.length, 1000)).toBe(sha(bytes))
      await jvm.ask('close', fate)
      await jvm.ask('open', fate, path)
      expect(await jvm.ask('read', fate, 0, bytes.length, 1000)).toBe(sha(bytes))
    }
  }, 120_000)

  test('each open asks what is there now, and whether the caller may read it', async () => {
    const jvm = await start()
    const stranger = await start('-', 'stranger')
    const [bytes, other] = [patternBytes(15, 5000), patternBytes(16, 5000)]
    await writeWhole(fs, '/now', bytes, 'MUST_CACHE')
    await jvm.ask('open', 'before', '/now')
    await stranger.ask('open', 'before', '/now')
    await fs.delete('/now')
    await writeWhole(fs, '/now', other, 'MUST_CACHE')
    await jvm.ask('open', 'after', '/now')
    expect(await jvm.ask('read', 'after', 0, other.length, 1000)).toBe(sha(other))
    await fs.setAttribute('/now', { mode: 0o600 })
    await expect(stranger.ask('open', 'after', '/now')).rejects.toThrow('AccessControl')
  }, 120_000)

  test('the same bytes by workers, in order and by single ranges', async () => {
    const jvm = await start('remote')
    await jvm.ask('open', 'a', '/warm')
    const bytes = patternBytes(1, LENGTH)
    expect(await jvm.ask('read', 'a', 0, LENGTH, 100_000)).toBe(sha(bytes))
    const { localBytes, dataRequests } = await jvm.tally()
    expect(localBytes).toBe(0)
    // One single range, then a stream for each of six blocks.
    expect(dataRequests).toBeLessThanOrEqual(8)
    expect(await jvm.ask('read', 'a', 9_999_999, 10_000_009, 10)).toBe(
      sha(bytes.subarray(9_999_999, 10_000_009)),
    )
  }, 120_000)

  test.each(['-', 'verify', 'remote'])(
    'many threads read what others let go (%s)',
    async (mode) => {
      const jvm = await start(mode)
      expect(Number(await jvm.ask('storm', '/warm', 8, 2))).toBeGreaterThan(100)
      const folder = cluster.folder.slice(cluster.folder.lastIndexOf('/') + 1)
      expect(await jvm.ask('maps', folder)).toBe('0')
    },
    60_000,
  )

  test('names that URLs and paths have trouble with', async () => {
    const jvm = await start()
    for (const name of ['a b+c', '100%41', 'q?x=1&y#z', 'é中😀', ';:@,\'"\\<>|', '~.-_*']) {
      const path = `/names/${name}`
      const digest = await jvm.ask('write', path, 1000, '-')
      expect(sha((await readWhole(fs, path)) as Buffer)).toBe(digest)
      await jvm.ask('open', name, path)
      expect(await jvm.ask('read', name, 0, 1000, 1000)).toBe(digest)
      expect(await jvm.ask('rename', path, `${path}.moved`)).toBe('true')
    }
    expect(await jvm.ask('list', '/names')).toBe('6')
  }, 120_000)

  test('what is written is whole, what is given up leaves nothing', async () => {
    const jvm = await start()
    for (const length of [0, 1, 256 * 1024, 9 * MIB + 1]) {
      const digest = await jvm.ask('write', `/written-${length}`, length, '-')
      expect(sha((await readWhole(fs, `/written-${length}`)) as Buffer)).toBe(digest)
    }
    await expect(jvm.ask('write', '/written-1', 5, '-')).rejects.toThrow('FileAlreadyExists')
    await jvm.ask('write', '/written-1', 5, 'overwrite')
    expect((await fs.getStatus('/written-1')).length).toBe(5)
    await jvm.ask('append', '/written-1', 'more')
    expect((await fs.getStatus('/written-1')).length).toBe(9)
    await jvm.ask('write', '/given-up', 9 * MIB, 'abort')
    await until(async () => !(await fs.exists('/given-up')))
  }, 120_000)

  test('a tier file that is damaged, cut or of another block is not believed', async () => {
    for (const [name, harm] of Object.entries(HARMS)) {
      const bytes = patternBytes(7, 3 * MIB)
      const before = new Set(tierFiles())
      await writeWhole(fs, `/${name}`, bytes, 'CACHE_THROUGH')
      const [file] = tierFiles().filter((path) => !before.has(path))
      const jvm = await start()
      await jvm.ask('open', 'a', `/${name}`)
      harm(file!)
      expect(await jvm.ask('read', 'a', 0, bytes.length, 10_000)).toBe(sha(bytes))
      const { failedSources, remoteBytes } = await jvm.tally()
      expect(failedSources).toBeGreaterThan(0)
      expect(remoteBytes).toBeGreaterThan(0)
    }
  }, 180_000)

  test('a block evicted before it is opened comes from the store; one that is mapped stays', async () => {
    const bytes = patternBytes(8, 8 * MIB)
    const before = new Set(tierFiles())
    await writeWhole(fs, '/evicted', bytes, 'CACHE_THROUGH')
    const own = tierFiles().filter((path) => !before.has(path))
    expect(own).toHaveLength(2)
    const jvm = await start()
    await jvm.ask('open', 'a', '/evicted')
    expect(await jvm.ask('read', 'a', 0, 1000, 1000)).toBe(sha(bytes.subarray(0, 1000)))
    await fs.free('/evicted')
    await until(() => !own.some((path) => existsSync(path)))
    expect(await jvm.ask('read', 'a', 0, bytes.length, MIB)).toBe(sha(bytes))
    const { localBytes, remoteBytes } = await jvm.tally()
    expect(localBytes).toBe(1000 + 4 * MIB)
    expect(remoteBytes).toBe(4 * MIB)
  }, 120_000)

  test('a tier file that is renamed because its block was persisted is found again', async () => {
    const bytes = patternBytes(13, 3 * MIB)
    await writeWhole(fs, '/persisted', bytes, 'MUST_CACHE')
    const jvm = await start()
    await jvm.ask('open', 'a', '/persisted')
    await fs.persist('/persisted')
    await until(async () => (await fs.getStatus('/persisted')).persisted)
    await until(() => tierFiles().every((path) => !path.endsWith('3145728.sole.arrow')))
    expect(await jvm.ask('read', 'a', 0, bytes.length, MIB)).toBe(sha(bytes))
    expect(await jvm.tally()).toEqual({
      localBytes: bytes.length,
      remoteBytes: 0,
      dataRequests: 0,
      failedSources: 0,
    })
  }, 120_000)

  test('a cold file comes by a worker, and from its tier file once it is sealed there', async () => {
    const bytes = patternBytes(9, 8 * MIB)
    await writeWhole(fs, '/cold', bytes, 'THROUGH')
    const jvm = await start()
    expect(await jvm.ask('hosts', '/cold')).toBe('[]')
    await jvm.ask('open', 'a', '/cold')
    expect(await jvm.ask('read', 'a', 0, bytes.length, MIB)).toBe(sha(bytes))
    const first = await jvm.tally()
    expect(first).toMatchObject({ localBytes: 0, remoteBytes: bytes.length })
    await until(async () => (await fs.getStatus('/cold')).cachedBytes === bytes.length)
    expect(await jvm.ask('read', 'a', 0, bytes.length, MIB)).toBe(sha(bytes))
    expect(await jvm.tally()).toMatchObject({ localBytes: bytes.length, remoteBytes: bytes.length })
  }, 120_000)

  test('a file replaced while it is read ends the read, with no byte of the other', async () => {
    await writeWhole(fs, '/replaced', patternBytes(10, 8 * MIB), 'MUST_CACHE')
    const jvm = await start('remote')
    await jvm.ask('open', 'a', '/replaced')
    await jvm.ask('read', 'a', 0, 1000, 1000)
    await fs.delete('/replaced')
    await writeWhole(fs, '/replaced', patternBytes(11, 8 * MIB), 'MUST_CACHE')
    await expect(jvm.ask('read', 'a', 5 * MIB, 6 * MIB, 1000)).rejects.toThrow('replaced')
  }, 120_000)

  test('a worker killed in mid-read is replaced by the other, both by the proxy, a killed proxy waited for', async () => {
    const bytes = patternBytes(12, LENGTH)
    await writeWhole(fs, '/killed', bytes, 'CACHE_THROUGH')
    const jvm = await start('remote')
    await jvm.ask('open', 'a', '/killed')
    const half = 6 * MIB
    expect(await jvm.ask('read', 'a', 0, half, 50_000)).toBe(sha(bytes.subarray(0, half)))
    for (const worker of cluster.workers) {
      await worker.kill()
      expect(await jvm.ask('read', 'a', half, LENGTH, 50_000)).toBe(sha(bytes.subarray(half)))
      await worker.start()
      await cluster.workersLive(2)
    }
    expect((await jvm.tally()).failedSources).toBeGreaterThan(0)
    await Promise.all(cluster.workers.map((worker) => worker.kill()))
    expect(await jvm.ask('read', 'a', half, 7 * MIB, 50_000)).toBe(sha(bytes.subarray(half, 7 * MIB)))
    await Promise.all(cluster.workers.map((worker) => worker.start()))
    await cluster.proxy!.kill()
    const listed = jvm.ask('list', '/names')
    const renamed = jvm.ask('rename', '/killed', '/killed.moved')
    await cluster.proxy!.start()
    expect(await listed).toBe('6')
    expect(await renamed).toBe('true')
  }, 240_000)
})

/** What may happen to a tier file behind a worker's back. */
const HARMS: Readonly<Record<string, (file: string) => void>> = {
  vanished: (file) => rmSync(file),
  flipped: (file) => write(file, 1_000_000, 'damage'),
  tail: (file) => write(file, 3 * MIB + 4096 + 3072 + 400, 'damage'),
}

function write(file: string, position: number, text: string): void {
  const fd = openSync(file, 'r+')
  writeSync(fd, text, position)
  closeSync(fd)
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; !(await done()); i++) {
    if (i === 200) throw new Error('it does not come to that')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
