import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectSocket, type Socket } from 'node:net'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import * as zmq from 'zeromq'
import type { FileSystem, PathHint, ReplicaChanges } from '../../../src/client/index.ts'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import { connectRpc, HintsContract, MasterBlock, ZeroMqTransport } from '../../../src/rpc/index.ts'
import { Cluster, patternBytes } from '../../support/cluster.ts'
import { readWhole } from '../../support/whole-file.ts'

const BLOCK = 256 * 1024
const TIMEOUT_MS = 2000
const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

interface Published {
  readonly epoch: string
  readonly sequence: number
  readonly changes: readonly {
    file: number
    block: number
    host: string
    worker: number
    tier: string | null
  }[]
}

function follow(address: string, clientId: string) {
  return connectRpc(
    {
      address: `tcp://${address}`,
      user: 'ann',
      host: 'here',
      clientId,
      peer: 'master',
      connectTimeoutMs: 5000,
    },
    {
      runtime: systemRuntime,
      transport: new ZeroMqTransport({}, { runtime: systemRuntime }),
      log: silentLog,
    },
  )
}

async function eventually<T>(
  look: () => Promise<T>,
  isRight: (found: T) => boolean,
  ms = 10_000,
): Promise<T> {
  for (const end = performance.now() + ms; ; await pause(20)) {
    const found = await look()
    if (isRight(found)) return found
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(found)}`)
  }
}

describe('hints of a cluster of three hosts', () => {
  let cluster: Cluster
  let fs: FileSystem
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'alluxio-hints-'))
    await writeFile(join(folder, 'aliases'), '# names of the hosts\n127.0.0.2 = node-b, node-b.example\n')
    cluster = await Cluster.start({
      workers: 3,
      properties: {
        'alluxio.master.worker.timeout': `${TIMEOUT_MS}ms`,
        'alluxio.user.block.size.bytes.default': String(BLOCK),
        'alluxio.hints.host.aliases': join(folder, 'aliases'),
      },
      workerProperties: (i) => ({
        'alluxio.worker.hostname': HOSTS[i]!,
        'alluxio.worker.bind.host': HOSTS[i]!,
      }),
    })
    fs = await cluster.connect({
      'alluxio.user.block.size.bytes.default': String(BLOCK),
      'alluxio.user.ufs.block.read.location.policy': 'DeterministicHash',
      'alluxio.user.short.circuit.enabled': 'false',
    })
  })
  afterAll(async () => {
    await cluster?.dispose()
    await rm(folder, { recursive: true, force: true })
  })

  const post = (operation: string, body: unknown, user = '') =>
    fetch(`http://127.0.0.1:${cluster.master.webPort}/api/v1/hints/${operation}${user}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  const writeTo = async (path: string, host: string, blocks: number) => {
    const client = await cluster.connect({
      'alluxio.user.block.size.bytes.default': String(BLOCK),
      'alluxio.user.file.writetype.default': 'CACHE_THROUGH',
      'alluxio.user.block.write.location.policy.class': 'SpecificHost',
      'alluxio.user.block.location.policy.specific.host': host,
    })
    const writer = await client.create(path)
    await writer.write(patternBytes(7, blocks * BLOCK))
    await writer.close()
  }

  test('locate follows a write, a free and a load; HTTP and RPC say the same', async () => {
    await writeTo('/a', '127.0.0.2', 3)
    // The load is what the host last said of itself; the write may still have been under way.
    const [answer] = await eventually(
      async () => (await (await post('locate', { paths: ['/a'] })).json()) as PathHint[],
      ([hint]) => hint!.hosts[0]?.load === 0,
    )
    expect(answer).toEqual({
      path: '/a',
      length: 3 * BLOCK,
      cold: false,
      blocks: [0, 1, 2].map((i) => ({
        offset: i * BLOCK,
        length: BLOCK,
        hosts: [{ host: '127.0.0.2', tier: 'MEM', freshMs: expect.any(Number) }],
      })),
      hosts: [
        {
          host: '127.0.0.2',
          score: 1,
          bytes: { MEM: 3 * BLOCK, SSD: 0, HDD: 0 },
          load: 0,
          confidence: expect.any(Number),
          reason: expect.stringContaining('768.00KB in MEM'),
        },
      ],
    })
    const [same] = await fs.hints.locate(['/a'])
    expect({ ...same, blocks: [], hosts: same!.hosts.map(({ host, bytes }) => ({ host, bytes })) }).toEqual({
      ...answer,
      blocks: [],
      hosts: answer!.hosts.map(({ host, bytes }) => ({ host, bytes })),
    })
    await fs.free('/a')
    const [freed] = await eventually(
      () => fs.hints.locate(['/a']),
      ([hint]) => hint!.cold,
    )
    expect(freed!.hosts).toHaveLength(3)
    expect(freed!.blocks.map(({ hosts }) => hosts)).toEqual([[], [], []])
  })

  test('a cold file goes where its hint says, for clients of policy DeterministicHash', async () => {
    const paths = ['/c1', '/c2', '/c3', '/c4', '/c5', '/c6']
    for (const path of paths) await writeTo(path, '127.0.0.1', 1)
    // A heartbeat that is late would name them again after they were freed.
    await pause(500)
    for (const path of paths) {
      await fs.free(path)
      const [cold] = await eventually(
        () => fs.hints.rank([path]),
        ([hint]) => hint!.cold,
      )
      expect(cold!.hosts[0]!.reason).toContain('stable place')
      await fs.load(path)
      const [warm] = await fs.hints.rank([path])
      expect(warm!.cold).toBe(false)
      expect(warm!.hosts.map(({ host }) => host)).toEqual([cold!.hosts[0]!.host])
    }
  })

  test('candidates are named as they were asked for; those that hold nothing come last', async () => {
    await writeTo('/named', '127.0.0.2', 2)
    const [hint] = await fs.hints.rank(['/named'], { candidates: ['127.0.0.3', 'Node-B', 'elsewhere'] })
    expect(hint!.hosts.map(({ host }) => host)).toEqual(['Node-B', '127.0.0.3', 'elsewhere'])
    expect(hint!.hosts[2]).toMatchObject({ confidence: 0, reason: 'no live worker is known under this name' })
    // All three run on this machine, so all say that its name and addresses are theirs.
    await expect(fs.hints.rank(['/named'], { candidates: [hostname()] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'ALIAS_COLLISION',
    })
  })

  test('who may not read gets no hints, of a file, below a directory, or over HTTP', async () => {
    await fs.mkdir('/private')
    await writeTo('/private/x', '127.0.0.1', 1)
    await fs.setAttribute('/private', { mode: 0o700 })
    for (const paths of [['/private/x'], ['/private'], ['/a', '/private/x']]) {
      const refused = await post('rank', { paths }, '?user.name=mallory')
      expect(refused.status).toBe(403)
      expect(await refused.json()).toMatchObject({ code: 'PERMISSION_DENIED', message: expect.any(String) })
    }
    const mine = await post('rank', { paths: ['/private'] }, `?user.name=${userInfo().username}`)
    expect(mine.status).toBe(200)
  })

  test('wrong requests are told so in JSON', async () => {
    for (const [body, reason] of [
      ['{"paths": [', 'NOT_JSON'],
      ['{"paths": "/a"}', 'SCHEMA'],
      ['{"paths": ["/a"], "candidate": ["b"]}', 'SCHEMA'],
      ['[]', 'SCHEMA'],
      ['{"paths": ["/a"], "for": "slurm"}', 'ADAPTER_UNKNOWN'],
      ['{"paths": ["a"]}', expect.any(String)],
    ] as const) {
      const refused = await post('rank', body)
      expect({ status: refused.status, ...((await refused.json()) as object) }).toEqual({
        status: 400,
        code: 'INVALID_ARGUMENT',
        reason,
        message: expect.any(String),
      })
    }
    expect((await post('rank', { paths: ['/nowhere'] })).status).toBe(404)
    expect((await post('guess', {})).status).toBe(404)
    const got = await fetch(`http://127.0.0.1:${cluster.master.webPort}/api/v1/hints/rank`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    const long = await post('rank', `{"paths": ["/${'x'.repeat(33 * 2 ** 20)}"]}`).catch(() => undefined)
    if (long !== undefined) expect(await long.json()).toMatchObject({ reason: 'BODY_TOO_LONG' })
  })

  test('assign puts each block beside its bytes, within the slots', async () => {
    await writeTo('/s1', '127.0.0.1', 2)
    await writeTo('/s2', '127.0.0.2', 2)
    const hosts = HOSTS.map((host) => ({ host, slots: 2 }))
    const plan = await (await post('assign', { paths: ['/s1', '/s2'], hosts })).json()
    expect(plan).toMatchObject({ local: 4 })
    const { splits } = plan as { splits: { path: string; host: string; placement: string }[] }
    expect(splits.map(({ path, host }) => `${path} ${host}`)).toEqual([
      '/s1 127.0.0.1',
      '/s1 127.0.0.1',
      '/s2 127.0.0.2',
      '/s2 127.0.0.2',
    ])
    const tight = await fs.hints.assign({
      paths: ['/s1', '/s2'],
      hosts: hosts.map(({ host }) => ({ host, slots: 1 })),
    })
    expect(tight.splits.map(({ placement }) => placement).sort()).toEqual([
      'LOCAL',
      'LOCAL',
      'NONE',
      'OVERFLOW',
    ])
  })

  test('a committed block reaches streams and listeners within 50 ms', async () => {
    await fs.mkdir('/followed')
    const rpc = follow(cluster.hints, 'ann')
    const listener = new zmq.Subscriber({ linger: 0 })
    listener.connect(`tcp://${cluster.changes}`)
    listener.subscribe('hints')
    try {
      const stream = rpc.client(HintsContract).subscribe({ paths: ['/followed'] })
      const first = await stream.next()
      expect(first.value!.item).toMatchObject({ resync: true, changes: [] })
      // The first message tells that the subscription has arrived.
      await listener.receive()
      const item = stream.next()
      const told = (async () => {
        for (;;) {
          const { changes } = JSON.parse((await listener.receive())[1]!.toString()) as Published
          if (changes.some(({ host, tier }) => host === '127.0.0.3' && tier === 'MEM'))
            return performance.now()
        }
      })()
      const streamed = item.then(() => performance.now())
      await writeTo('/followed/f', '127.0.0.3', 1)
      const done = performance.now()
      expect((await item).value!.item.changes).toEqual([
        { path: '/followed/f', offset: 0, host: '127.0.0.3', tier: 'MEM' },
      ])
      // The write has ended when the master knows of its blocks; the machine may be busy.
      expect((await streamed) - done).toBeLessThan(50)
      expect((await told) - done).toBeLessThan(50)
    } finally {
      listener.close()
      await rpc.close()
    }
  })

  test('a snapshot and the changes after it make up all replicas', async () => {
    await writeTo('/snap', '127.0.0.1', 2)
    const rpc = follow(cluster.hints, 'snap')
    try {
      const replicas = new Map<number, Set<number>>()
      let workers: readonly { id: number; host: string }[] = []
      for await (const { item } of rpc.client(HintsContract).snapshot({})) {
        if (item.workers.length > 0) workers = item.workers
        const bytes = Buffer.from(item.replicas)
        for (let at = 0; at < bytes.length; at += 13) {
          const block = bytes.readDoubleLE(at)
          replicas.set(block, (replicas.get(block) ?? new Set()).add(bytes.readUInt32LE(at + 8)))
        }
      }
      expect(workers.map(({ host }) => host).sort()).toEqual(HOSTS)
      for (const { blockId, locations } of await fs.blockPlaces('/snap')) {
        expect([...replicas.get(blockId)!]).toEqual(locations.map(({ workerId }) => workerId))
      }
    } finally {
      await rpc.close()
    }
  })

  test('a worker that lies about a block is read around, and named no more once it is found out', async () => {
    await writeTo('/lied', '127.0.0.1', 1)
    const blockId = (await fs.blockPlaces('/lied'))[0]!.blockId
    const rpc = follow(cluster.masterAddress, 'liar')
    const liar = rpc.client(MasterBlock)
    const tiers = [{ alias: 'MEM', capacityBytes: 1e9, usedBytes: 0 }]
    const { session } = await liar.register({
      ...{ uuid: 'liar', host: '127.0.0.9', rpcPort: 1, webPort: 1, tiers, clusterId: '', names: ['node-b'] },
    })
    const entry = Buffer.alloc(9)
    entry.writeDoubleLE(blockId)
    await liar.registerBlocks({ session, blocks: entry })
    await liar.registerEnd({ session })
    await fs.free('/lied')
    await liar.heartbeat({ session, removed: new Uint8Array(0), added: entry, tiers, load: 0 })
    await eventually(
      () => fs.hints.locate(['/lied']),
      ([hint]) => hint!.hosts[0]?.host === '127.0.0.9' && !hint!.cold,
    )
    // It claims a name that the file of aliases gives to another host.
    const [named] = await fs.hints.rank(['/lied'], { candidates: ['node-b'] })
    expect(named!.hosts[0]!.bytes.MEM).toBe(0)
    expect(Buffer.compare(await readWhole(fs, '/lied'), patternBytes(7, BLOCK))).toBe(0)
    await rpc.close()
    const [hint] = await eventually(
      () => fs.hints.locate(['/lied']),
      ([found]) => found!.hosts.every(({ host }) => host !== '127.0.0.9'),
      TIMEOUT_MS + 1500,
    )
    expect(hint!.path).toBe('/lied')
  })

  test('ten thousand subscribers hear of one block', async () => {
    await fs.mkdir('/many')
    const connections = Array.from({ length: 5 }, (_, i) => follow(cluster.hints, `many-${i}`))
    try {
      const streams = connections.flatMap((rpc) => {
        const hints = rpc.client(HintsContract)
        return Array.from({ length: 2000 }, () => hints.subscribe({ paths: ['/many'] }))
      })
      for (const first of await Promise.all(streams.map((stream) => stream.next())))
        expect(first.value!.item.resync).toBe(true)
      const told = Promise.all(streams.map((stream) => stream.next()))
      await writeTo('/many/f', '127.0.0.2', 1)
      for (const { value } of await told) expect(value!.item.changes[0]!.path).toBe('/many/f')
      const [hint] = await fs.hints.rank(['/many/f'])
      expect(hint!.hosts[0]!.host).toBe('127.0.0.2')
    } finally {
      await Promise.all(connections.map((rpc) => rpc.close()))
    }
  })

  test('ten thousand clients keep their connections and ask again and again over HTTP', async () => {
    await writeTo('/asked', '127.0.0.1', 1)
    const body = JSON.stringify({ paths: ['/asked'], blocks: false })
    const request = `POST /api/v1/hints/rank HTTP/1.1\r\nhost: hints\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const ask = (socket: Socket) =>
      new Promise<string>((resolve, reject) => {
        let answer = ''
        const take = (text: string) => {
          answer += text
          if (!answer.endsWith('}]}]')) return
          socket.off('data', take).off('error', reject).off('close', reject)
          resolve(answer)
        }
        socket.on('data', take).on('error', reject).on('close', reject)
        socket.write(request)
      })
    const sockets: Socket[] = []
    try {
      for (let wave = 0; wave < 20; wave++) {
        const fresh = Array.from({ length: 500 }, () =>
          connectSocket(cluster.master.webPort, '127.0.0.1').setEncoding('latin1').setNoDelay(),
        )
        sockets.push(...fresh)
        await Promise.all(fresh.map(ask))
      }
      // All at once, over the same connections.
      for (const answer of await Promise.all(sockets.map(ask))) {
        expect(answer.startsWith('HTTP/1.1 200 ')).toBe(true)
        expect(answer).toContain('"path":"/asked"')
        expect(answer).toContain('"hosts":[{"host":"127.0.0.1"')
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  test('the command tells it to people, scripts and schedulers', async () => {
    const run = promisify(execFile)
    const alluxio = async (...words: string[]) =>
      (
        await run('bin/alluxio', ['hints', ...words, ...cluster.flags], {
          env: { ...process.env, ...cluster.env },
        })
      ).stdout
    await writeTo('/told', '127.0.0.2', 2)
    const text = await alluxio('/told', '--explain')
    expect(text).toMatch(
      /^\/told: 524288 bytes, 1 hosts\n {2}127\.0\.0\.2 {2}score [\d.]+ {2}MEM 524288 {2}load \d+ {2}confidence/,
    )
    expect(text).toContain('holds 512.00KB in MEM of 512.00KB')
    expect(text).toContain('262144+262144: 127.0.0.2 MEM')
    const [hint] = JSON.parse(
      await alluxio('/told', '--candidates', 'node-b,127.0.0.1', '--json'),
    ) as PathHint[]
    expect(hint!.hosts.map(({ host }) => host)).toEqual(['node-b', '127.0.0.1'])
    expect(JSON.parse(await alluxio('/told', '--for', 'spark', '--json'))).toMatchObject([
      { path: '/told', blocks: [{ locations: ['127.0.0.2'] }, { locations: ['127.0.0.2'] }] },
    ])
    expect(await alluxio('/told', '--for', 'spark-submit')).toContain('--conf spark.locality.wait=3s')
    await expect(alluxio('/told', '--for', 'slurm')).rejects.toMatchObject({ code: 64 })
    await expect(alluxio('/nowhere')).rejects.toMatchObject({ code: 66 })
  })

  test('a worker that is killed is named no more after its timeout and a second', async () => {
    await writeTo('/dead', '127.0.0.3', 1)
    expect((await fs.hints.locate(['/dead']))[0]!.hosts[0]!.host).toBe('127.0.0.3')
    await cluster.workers[2]!.kill()
    const killed = performance.now()
    while (performance.now() - killed < TIMEOUT_MS + 1000) {
      const [hint] = await fs.hints.locate(['/dead'])
      const { host, confidence } = hint!.hosts[0]!
      if (host !== '127.0.0.3') break
      expect(confidence).toBeLessThanOrEqual(1)
      await pause(50)
    }
    const [answer] = await fs.hints.locate(['/dead'])
    expect(answer!.cold).toBe(true)
    expect(answer!.hosts.map(({ host }) => host)).not.toContain('127.0.0.3')
    const plan = await fs.hints.assign({ paths: ['/dead'] })
    expect(plan.splits[0]!.host).not.toBe('127.0.0.3')
    await cluster.workers[2]!.start()
    await eventually(
      () => fs.hints.locate(['/dead']),
      ([hint]) => !hint!.cold,
    )
  })

  test('a master that starts anew has subscribers look again', async () => {
    const stop = new AbortController()
    const items: ReplicaChanges[] = []
    const following = (async () => {
      for await (const item of fs.hints.subscribe(['/'], { signal: stop.signal })) items.push(item)
    })()
    await eventually(
      async () => items.length,
      (n) => n > 0,
    )
    await cluster.master.kill()
    await cluster.master.start()
    await cluster.workersLive(3)
    await eventually(
      async () => new Set(items.filter(({ resync }) => resync).map(({ epoch }) => epoch)).size,
      (n) => n === 2,
    )
    stop.abort()
    await following
    const [hint] = await eventually(
      () => fs.hints.locate(['/s1']),
      ([found]) => !found!.cold,
    )
    expect(hint!.hosts[0]!.host).toBe('127.0.0.1')
  })
})
