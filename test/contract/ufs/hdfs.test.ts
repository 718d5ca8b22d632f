/** The HDFS store against a NameNode and a DataNode of their own: the suite, Hadoop's traps, outages, tokens. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Metrics, Secret, silentLog, systemRuntime } from '../../../src/core/index.ts'
import { type FaultOptions, openStore, parseUfsUri, type UnderStore } from '../../../src/ufs/index.ts'
import { RetryPolicy } from '../../../src/ufs/layers/retry-policy.ts'
import { webHdfsFactory } from '../../../src/ufs/webhdfs/index.ts'
import { MIB, md5Of, md5OfBlocks, numberedBlock, writeBlocks } from '../../support/numbered-blocks.ts'
import { type HdfsServer, startHdfs } from '../../support/servers/hdfs.ts'
import { type HdfsFront, refuse, startHdfsFront } from '../../support/servers/hdfs-front.ts'
import { ifAvailable, startToxiproxy, type Toxiproxy } from '../../support/servers/index.ts'
import { scratchFolder } from '../../support/servers/process.ts'
import { skippedUfsSuite, ufsSuite } from '../../support/ufs-suite.ts'

const { server: started, reason } = await ifAvailable(() => startHdfs())
const server = started as HdfsServer
const folder = scratchFolder('hdfs-test')
afterAll(async () => {
  folder.remove()
  await started?.stop()
})

const HASTY = { 'alluxio.underfs.retry.base.sleep': '5', 'alluxio.underfs.retry.max.duration': '60s' }
/** One attempt: what the store itself says. */
const ONCE = { 'alluxio.underfs.retry.max.duration': '0' }

function open(
  path: string,
  options: Record<string, string> = {},
  faults?: FaultOptions,
): Promise<UnderStore> {
  return openStore(`${server.uri}/${path}`, server.options({ ...HASTY, ...options }), {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
    ...(faults === undefined ? {} : { faults }),
  })
}

/** Without the layers. */
function bare(path: string): Promise<UnderStore> {
  const modules = { runtime: systemRuntime, log: silentLog }
  return webHdfsFactory.open(parseUfsUri(`${server.uri}/${path}`), server.options(), {
    ...modules,
    retry: new RetryPolicy({ maxDurationMs: 1000, baseMs: 5, capMs: 100 }, modules),
    onApiCall: () => {},
    secret: (_key, text) => new Secret(text),
  })
}

if (reason === undefined) {
  await ufsSuite('HDFS', open('below/a prefix'))
  const faults = { brokenReadRate: 0.3, delayMs: [0, 2] } as const
  await ufsSuite('HDFS through faults', open('faulty', {}, faults), { largeCount: 60, largeBytes: 20 * MIB })
} else {
  skippedUfsSuite('HDFS', reason)
}

/** What a plain client sees, names of unfinished writes included. */
async function namesIn(path: string): Promise<string[]> {
  const answer = await fetch(`${server.addresses[0]}/webhdfs/v1/${path}?op=LISTSTATUS&user.name=root`)
  const { FileStatuses } = (await answer.json()) as {
    FileStatuses: { FileStatus: { pathSuffix: string }[] }
  }
  return FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix)
}

const suite = reason === undefined ? describe : describe.skip
suite(`HDFS${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let store: UnderStore
  beforeAll(async () => {
    store = await open('tests')
    await store.mkdir('', { mode: 0o755 })
  })
  afterAll(() => store.close())

  test('64 MiB there and back with flat memory', async () => {
    const before = process.memoryUsage().rss
    const status = await writeBlocks(store, 'large', 64)
    expect(status.length).toBe(64 * MIB)
    expect(await md5Of(store, 'large')).toBe(md5OfBlocks(64))
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB)
  }, 60_000)

  test('a write that HDFS refuses is an error and no crash, whatever its size', async () => {
    const alice = await open('tests', { 'alluxio.underfs.hdfs.user': 'alice' })
    for (const blocks of [0, 1, 64, 64, 64]) {
      await expect(writeBlocks(alice, 'refused', blocks)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    }
    await store.setAttributes('large', { mode: 0o600 })
    await expect(md5Of(alice, 'large')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(alice.delete('large')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(alice.rename('large', 'larger')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(alice.setAttributes('large', { mode: 0o777 })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/user=alice is not the owner.*/),
    })
    expect(await namesIn('tests')).toEqual(['large'])
    await alice.close()
  }, 60_000)

  test('a rename that HDFS refuses says why', async () => {
    await store.mkdir('renames/dir')
    await writeBlocks(store, 'renames/file', 1)
    const rename = (src: string, dst: string) => store.rename(`renames/${src}`, `renames/${dst}`)
    await expect(rename('none', 'other')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(rename('file', 'dir')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(rename('dir', 'file')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(rename('file', 'none/file')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(rename('dir', 'file/below')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
  })

  test('mode, owner and group through the package, also of difficult names', async () => {
    for (const name of ['plain', 'per%cent%20#?+; ünïcödé 🚀']) {
      const path = `attributes/${name}`
      const writer = await store.create(path, { mode: 0o640, owner: 'carol', group: 'some staff' })
      await writer.write(numberedBlock(0))
      expect(await writer.close()).toMatchObject({ mode: 0o640, owner: 'carol', group: 'some staff' })
      expect(await store.status(path)).toMatchObject({ mode: 0o640, owner: 'carol', group: 'some staff' })
      await store.setAttributes(path, { mode: 0o1777, group: 'others' })
      expect(await store.status(path)).toMatchObject({ mode: 0o1777, owner: 'carol', group: 'others' })
      await store.setAttributes(path, { owner: 'dave' })
      expect(await store.status(path)).toMatchObject({ owner: 'dave', group: 'others' })
      await expect(store.setAttributes(`${path}-none`, { mode: 0o700 })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      })
    }
    await store.mkdir('attributes/made/below', { mode: 0o750, owner: 'carol' })
    expect(await store.status('attributes/made/below')).toMatchObject({ mode: 0o750, owner: 'carol' })
  })

  test('places of blocks and the checksum', async () => {
    await writeBlocks(store, 'blocks', 40)
    const hosts = ['127.0.0.1']
    expect(await store.blockLocations!('blocks')).toEqual([
      { offset: 0, length: 16 * MIB, hosts },
      { offset: 16 * MIB, length: 16 * MIB, hosts },
      { offset: 32 * MIB, length: 8 * MIB, hosts },
    ])
    const range = { offset: 20 * MIB, length: 5 }
    expect(await store.blockLocations!('blocks', range)).toEqual([
      { offset: 16 * MIB, length: 16 * MIB, hosts },
    ])
    const { algorithm, hex } = await store.checksum!('blocks')
    expect(algorithm).toMatch(/^MD5-of-.*CRC32C$/)
    await writeBlocks(store, 'same', 40)
    expect((await store.checksum!('same')).hex).toBe(hex)
    await writeBlocks(store, 'same', 39)
    expect((await store.checksum!('same')).hex).not.toBe(hex)
    await expect(store.checksum!('none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.blockLocations!('none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }, 60_000)

  test('a file replaced by one of its length in the same breath has another fingerprint', async () => {
    const seen = new Set<string>()
    for (let i = 0; i < 5; i++) seen.add((await writeBlocks(store, 'twin', 1)).fingerprint)
    expect(seen.size).toBe(5)
  })

  test('an aborted write leaves nothing, nor does one whose caller went away', async () => {
    await store.mkdir('aborted')
    const writer = await store.create('aborted/file')
    for (let i = 0; i < 20; i++) await writer.write(numberedBlock(i))
    expect(await namesIn('tests/aborted')).toHaveLength(1)
    expect((await store.list('aborted')).entries).toEqual([])
    await writer.abort()
    expect(await namesIn('tests/aborted')).toEqual([])
    const controller = new AbortController()
    const left = await (await bare('tests')).create('aborted/file', { signal: controller.signal })
    for (let i = 0; i < 20; i++) await left.write(numberedBlock(i))
    controller.abort()
    await expect(left.close()).rejects.toMatchObject({ code: 'CANCELLED' })
    await left.abort()
    expect(await namesIn('tests/aborted')).toEqual([])
  }, 60_000)

  test('what a crashed writer left does not keep its directory from being deleted', async () => {
    const place = 'tests/crashed/.alluxio-0123456789abcdef.tmp'
    await fetch(`${server.addresses[0]}/webhdfs/v1/${place}?op=MKDIRS&user.name=root`, { method: 'PUT' })
    expect((await store.list('crashed')).entries).toEqual([])
    await store.delete('crashed')
    await expect(store.status('crashed')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('what a killed writer left goes with a listing that sweeps; what is being written stays', async () => {
    const sweeping = await open('tests', { 'alluxio.underfs.temporary.max.age': '1s' })
    const left = '.alluxio-0123456789abcdef.tmp'
    await writeBlocks(store, 'swept/half', 1)
    const place = `${server.addresses[0]}/webhdfs/v1/tests/swept`
    const query = `op=RENAME&user.name=root&destination=/tests/swept/${left}`
    expect((await fetch(`${place}/half?${query}`, { method: 'PUT' })).status).toBe(200)
    const writer = await sweeping.create('swept/file')
    for (let i = 0; i < 6; i++) await writer.write(numberedBlock(i))
    await pause(1500)
    expect((await sweeping.list('swept')).entries).toEqual([])
    expect(await namesIn('tests/swept')).toHaveLength(2)
    expect((await sweeping.list('', { recursive: true, sweep: true })).entries).toContainEqual(
      expect.objectContaining({ path: 'swept' }),
    )
    for (let i = 0; i < 100 && (await namesIn('tests/swept')).includes(left); i++) await pause(50)
    expect(await namesIn('tests/swept')).toEqual([expect.not.stringContaining(left)])
    await writer.close()
    await sweeping.close()
    expect(await namesIn('tests/swept')).toEqual(['file'])
    expect(await md5Of(store, 'swept/file')).toBe(md5OfBlocks(6))
  }, 60_000)

  test('short reads go to a DataNode that is known, and are checked as others are', async () => {
    const metrics = new Metrics()
    const counted = await openStore(`${server.uri}/tests`, server.options(HASTY), {
      runtime: systemRuntime,
      log: silentLog,
      metrics,
    })
    const calls = (api: string) => {
      const found = Object.entries(metrics.values()).find(
        ([name]) => name.startsWith('alluxio_ufs_api_calls_total') && name.includes(`api="${api}"`),
      )
      return found?.[1] ?? 0
    }
    const put = async (path: string, text: string) => {
      const writer = await counted.create(path)
      await writer.write(Buffer.from(text))
      return (await writer.close()).fingerprint
    }
    const read = async (path: string, fingerprint: string, offset = 0, length = 1e6) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of counted.open(path, { offset, length, fingerprint })) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    }
    const names = Array.from({ length: 10 }, (_, i) => `near/file ${i} %41 ü`)
    const versions = await Promise.all(names.map((name) => put(name, `content of ${name}`)))
    const before = { asked: calls('OPEN'), data: calls('OPEN data'), status: calls('GETFILESTATUS') }
    for (const [i, name] of names.entries()) expect(await read(name, versions[i]!)).toBe(`content of ${name}`)
    expect(await read(names[0]!, versions[0]!, 3, 4)).toBe('tent')
    // The first names of a NameNode's answer may be written in another way than ours.
    expect(calls('OPEN') - before.asked).toBeLessThanOrEqual(2)
    expect(calls('OPEN data') - before.data).toBe(names.length + 1)
    expect(calls('GETFILESTATUS') - before.status).toBe(names.length + 1)
    await put(names[0]!, 'another content')
    await expect(read(names[0]!, versions[0]!)).rejects.toMatchObject({ reason: 'SOURCE_CHANGED' })
    await counted.delete(names[1]!)
    await expect(read(names[1]!, versions[1]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await read(names[2]!, versions[2]!)).toBe(`content of ${names[2]}`)
    await counted.close()
  }, 60_000)

  test('a wrong port and an RPC port are told as such', async () => {
    const at = (port: number) =>
      open('', { ...ONCE, 'alluxio.underfs.hdfs.namenodes': `http://127.0.0.1:${port}` })
    await expect((await at(1)).status('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/nobody listens there.*9870.*alluxio.underfs.hdfs.namenodes/),
    })
    await expect((await at(server.rpcPort)).status('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/no answer of WebHDFS.*not its RPC port.*Hadoop IPC port/),
    })
  })

  describe('outages', () => {
    test('the NameNode is killed and comes back in the middle of a listing, and before a rename', async () => {
      await Promise.all(Array.from({ length: 30 }, (_, i) => store.mkdir(`listed/d${i}`)))
      await writeBlocks(store, 'mover', 1)
      const first = await store.list('listed', { limit: 10 })
      await server.nameNodes[0]!.kill()
      const once = await open('tests', ONCE)
      await expect(once.list('listed')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await expect(once.rename('mover', 'moved')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      const rest = store.list('listed', { cursor: first.cursor! })
      const moving = store.rename('mover', 'moved')
      await server.nameNodes[0]!.restart()
      const names = [...first.entries, ...(await rest).entries].map(({ path }) => path)
      expect(new Set(names).size).toBe(30)
      await moving
      expect((await store.status('moved')).length).toBe(MIB)
      await expect(store.status('mover')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }, 180_000)

    test('the NameNode is killed and comes back in the middle of a read and of a write', async () => {
      let restarted: Promise<void> | undefined
      const bounce = async () => {
        await server.nameNodes[0]!.kill()
        restarted = server.nameNodes[0]!.restart()
      }
      await writeBlocks(store, 'read', 48)
      // One DataNode has the blocks open: it goes on without the NameNode, or the read is resumed.
      expect(await md5Of(store, 'read', bounce)).toBe(md5OfBlocks(48))
      await restarted
      const writing = writeBlocks(store, 'written', 48, (i) => (i === 8 ? bounce() : undefined))
      const outcome = await writing.then(
        () => 'written',
        (error: { code: string }) => error.code,
      )
      await restarted
      if (outcome !== 'written') {
        expect(outcome).toMatch(/UNAVAILABLE|TIMEOUT/)
        await expect(store.status('written')).rejects.toMatchObject({ code: 'NOT_FOUND' })
        await writeBlocks(store, 'written', 48)
      }
      expect(await md5Of(store, 'written')).toBe(md5OfBlocks(48))
    }, 240_000)

    test('the DataNode is killed in the middle of a read and of a write', async () => {
      await writeBlocks(store, 'dn-read', 48)
      const bounce = async () => {
        await server.dataNode.kill()
        await server.dataNode.restart()
      }
      expect(await md5Of(store, 'dn-read', bounce)).toBe(md5OfBlocks(48))
      const writing = writeBlocks(store, 'dn-written', 48, (i) => (i === 20 ? bounce() : undefined))
      await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await expect(store.status('dn-written')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect((await namesIn('tests')).filter((name) => name.startsWith('.alluxio'))).toEqual([])
      await writeBlocks(store, 'dn-written', 48)
      expect(await md5Of(store, 'dn-written')).toBe(md5OfBlocks(48))
    }, 240_000)

    test('a small write waits for a DataNode that is away', async () => {
      await server.dataNode.kill()
      const writing = writeBlocks(store, 'patient', 2)
      await server.dataNode.restart()
      expect((await writing).length).toBe(2 * MIB)
      expect(await md5Of(store, 'patient')).toBe(md5OfBlocks(2))
    }, 180_000)

    test('a server that hangs is cut off at its deadline, and the call repeated', async () => {
      const impatient = await open('tests', { 'alluxio.underfs.timeout': '500ms' })
      server.nameNodes[0]!.pause()
      const once = await open('tests', { ...ONCE, 'alluxio.underfs.timeout': '300ms' })
      const begun = performance.now()
      await expect(once.status('moved')).rejects.toMatchObject({ code: 'TIMEOUT' })
      expect(performance.now() - begun).toBeLessThan(3000)
      const status = impatient.status('moved')
      await pause(1000)
      server.nameNodes[0]!.resume()
      expect((await status).length).toBe(MIB)
      await writeBlocks(store, 'stalled', 24)
      const stalling = await open('tests', { 'alluxio.underfs.stall.timeout': '1s' })
      const read = md5Of(stalling, 'stalled', async () => {
        server.dataNode.pause()
        setTimeout(() => server.dataNode.resume(), 2500)
      })
      expect(await read).toBe(md5OfBlocks(24))
    }, 60_000)
  })
})

suite('HDFS behind a front', () => {
  let front: HdfsFront
  let store: UnderStore
  const through = (options: Record<string, string> = {}) =>
    open('front', { 'alluxio.underfs.hdfs.namenodes': front.address, ...options })
  beforeAll(async () => {
    front = await startHdfsFront(server.addresses[0]!)
    store = await through()
    await store.mkdir('')
    await writeBlocks(store, 'file', 3)
  })
  afterAll(async () => {
    await store.close()
    await front.stop()
  })

  test.each(['with its length', 'without one'])(
    'a body cut short with status 200, %s, is no end',
    async (kind) => {
      const { fingerprint } = await store.status('file')
      let cuts = 2
      front.answer = (call, response) => {
        if (call.get('op') !== 'OPEN') return false
        if (call.get('noredirect') !== null && cuts > 0) {
          response.end(
            JSON.stringify({
              Location: `${front.address}/webhdfs/v1/front/file?op=OPEN&cut=1&offset=${call.get('offset')}`,
            }),
          )
          return true
        }
        if (call.get('cut') === null) return false
        cuts--
        const bytes = numberedBlock(0).subarray(
          Number(call.get('offset')),
          300_000 + Number(call.get('offset')),
        )
        response.writeHead(200, kind === 'without one' ? {} : { 'content-length': bytes.length })
        response.end(bytes)
        return true
      }
      const once = await through(ONCE)
      await expect(md5Of(once, 'file')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'TRUNCATED' })
      cuts = 2
      const hash = createHash('md5')
      for await (const chunk of store.open('file', { offset: 0, length: 3 * MIB, fingerprint }))
        hash.update(chunk)
      expect(hash.digest('hex')).toBe(md5OfBlocks(3))
      // A body without a length is asked for twice.
      expect(cuts).toBeLessThanOrEqual(0)
      front.answer = () => false
    },
  )

  test('a file replaced between the look at it and its opening is never taken for the other', async () => {
    const { fingerprint } = await writeBlocks(store, 'replaced', 2)
    let replacing: Promise<unknown> | undefined
    front.answer = (call, response, message) => {
      if (call.get('op') !== 'OPEN' || replacing !== undefined) return false
      const direct = open('front')
      replacing = direct.then(async (other) => {
        await writeBlocks(other, 'replaced', 1)
        await other.close()
        response.writeHead(307, { location: `http://127.0.0.1:1${message.url}` })
        const answer = await fetch(server.addresses[0] + message.url!)
        response.end(await answer.text())
      })
      return true
    }
    await expect(
      (async () => {
        for await (const _ of store.open('replaced', { offset: 0, length: 2 * MIB, fingerprint }));
      })(),
    ).rejects.toMatchObject({ code: 'CONFLICT', reason: 'SOURCE_CHANGED' })
    front.answer = () => false
    const { length } = await store.status('replaced')
    expect(length).toBe(MIB)
  })

  test('a rename whose answer is lost is known by the file; one answered false without reason is looked into', async () => {
    let lost = 1
    front.answer = (call, response, message) => {
      if (call.get('op') !== 'RENAME' || lost-- <= 0) return false
      void fetch(server.addresses[0] + message.url!, { method: 'PUT' }).then(() => response.destroy())
      return true
    }
    expect((await writeBlocks(store, 'once', 1)).length).toBe(MIB)
    expect((await store.status('once')).length).toBe(MIB)
    // Of a plain rename the answer is lost too, once before it was done and once after.
    for (const done of [false, true]) {
      let hurt = false
      front.answer = (call, response, message) => {
        if (call.get('op') !== 'RENAME' || hurt) return false
        hurt = true
        const doing = done ? fetch(server.addresses[0] + message.url!, { method: 'PUT' }) : Promise.resolve()
        void doing.then(() => response.destroy())
        return true
      }
      const moving = store.rename('once', 'moved')
      // Where the source is gone nobody can tell who moved it: the caller looks.
      if (done) await expect(moving).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      else await moving
      expect((await store.status('moved')).length).toBe(MIB)
      front.answer = () => false
      await store.rename('moved', 'once')
    }
    front.answer = (call, response) => {
      if (call.get('op') !== 'RENAME') return false
      response.end('{"boolean":false}')
      return true
    }
    await expect(store.rename('none', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.rename('file', 'once')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(store.rename('file', 'none/x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.rename('file', 'x')).rejects.toMatchObject({ code: 'CONFLICT' })
    front.answer = () => false
  })

  test('nonsense with status 200 crashes nothing and is no success', async () => {
    const once = await through(ONCE)
    for (const nonsense of ['', 'null', '<html>login</html>', '{}', '{"FileStatus":{}}']) {
      front.answer = (_call, response) => {
        response.end(nonsense)
        return true
      }
      for (const call of [
        () => once.status('file'),
        () => once.list(''),
        () => once.mkdir('made'),
        () => once.delete('file'),
        () => writeBlocks(once, 'new', 1),
        () => md5Of(once, 'file'),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      }
    }
    front.answer = (_call, response) => {
      response.writeHead(500).end('{"RemoteException":null}')
      return true
    }
    await expect(once.setAttributes('file', { mode: 0o600 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    front.answer = () => false
    expect((await store.status('file')).length).toBe(3 * MIB)
  })

  test('a server from before the public call tells the places of blocks too', async () => {
    front.answer = (call, response) =>
      call.get('op') === 'GETFILEBLOCKLOCATIONS' &&
      refuse(
        response,
        400,
        'IllegalArgumentException',
        'Invalid value for webhdfs parameter "op": No enum constant',
      )
    expect(await store.blockLocations!('file')).toEqual([
      { offset: 0, length: 3 * MIB, hosts: ['127.0.0.1'] },
    ])
    front.answer = () => false
  })

  test('a delegation token by reference is sent, renewed, and read again when it has expired', async () => {
    const fetchToken = async () => {
      const answer = await fetch(
        `${server.addresses[0]}/webhdfs/v1/?op=GETDELEGATIONTOKEN&user.name=root&renewer=root`,
      )
      return ((await answer.json()) as { Token: { urlString: string } }).Token.urlString
    }
    const [first, second] = [await fetchToken(), await fetchToken()]
    let valid = first
    front.answer = (call, response) => {
      if (call.get('op') === 'RENEWDELEGATIONTOKEN' || call.get('delegation') === valid) return false
      return refuse(response, 403, 'InvalidToken', 'token (token for root: HDFS_DELEGATION_TOKEN) is expired')
    }
    const file = join(folder.path, 'token')
    writeFileSync(file, first)
    const signed = await through({ 'alluxio.underfs.hdfs.delegation.token': `file:${file}` })
    front.seen.length = 0
    expect((await signed.status('file')).length).toBe(3 * MIB)
    await signed.setAttributes('file', { mode: 0o644 })
    for (let i = 0; i < 50 && !front.seen.includes('RENEWDELEGATIONTOKEN'); i++) await pause(20)
    expect(front.seen).toContain('RENEWDELEGATIONTOKEN')
    valid = second
    const error = await signed.status('file').then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'TOKEN_REFUSED' })
    expect(`${error!.message} ${error!.stack} ${JSON.stringify(error)}`).not.toContain(first)
    writeFileSync(file, second)
    expect((await signed.status('file')).length).toBe(3 * MIB)
    await signed.setAttributes('file', { mode: 0o644 })
    front.answer = () => false
    await signed.close()
  })

  test('a NameNode 200 ms away, and a deadline that is shorter', async () => {
    const { server: toxiproxy, reason: none } = await ifAvailable(startToxiproxy)
    if (none !== undefined) return
    const proxy = toxiproxy as Toxiproxy
    try {
      const slow = await proxy.proxy('namenode', server.addresses[0]!)
      await proxy.toxic('namenode', 'latency', { latency: 200 })
      const far = await open('front', { 'alluxio.underfs.hdfs.namenodes': slow })
      expect(await md5Of(far, 'file')).toBe(md5OfBlocks(3))
      const hasty = await open('front', {
        ...ONCE,
        'alluxio.underfs.hdfs.namenodes': slow,
        'alluxio.underfs.timeout': '100ms',
      })
      await expect(hasty.status('file')).rejects.toMatchObject({ code: 'TIMEOUT' })
      await far.close()
    } finally {
      await proxy.stop()
    }
  }, 60_000)
})
