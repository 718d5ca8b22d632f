/**
 * The S3 store against the bare SDK, in turn on one server: `node bench/scenario/ufs.bench.ts [minio|latency|local|web|azure|hdfs|swift|gluster|rgw] …`.
 *
 * `minio`    1 GiB from MinIO through toxiproxy with 20 ms added
 * `latency`  1 GiB, and objects of 4 KiB, from our server that adds 20 ms to each call
 * `local`    1 GiB from and to a local folder, against plain reads and writes of node:fs
 * `web`      1 GiB, and files of 4 KiB, from nginx, against node:http
 * `azure`    the same from Azurite, against its anonymous pages by node:http (it reads 100 MB/s: take few --mib and --objects)
 * `hdfs`     1 GiB, and files of 4 KiB, to and from HDFS, against node:http
 * `swift`    the same to and from Swift (it makes 50 small objects a second: take few --mib and --objects)
 * `gluster`  the same to and from GlusterFS, against the calls of libgfapi one after the other
 * `rgw`      1 GiB from Ceph's gateway, objects in memory
 *
 * The SDK runs at the best of several range sizes and parallelisms. Options: --mib 1024, --rounds 3, --objects 2000.
 */
import { mkdir, open as openFile, rename, rm, writeFile } from 'node:fs/promises'
import { Agent, get as httpGet, request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import koffi from 'koffi'
import { Metrics, silentLog, systemRuntime } from '../../src/core/index.ts'
import { sharedKey } from '../../src/ufs/azure/signature.ts'
import { openStore, type UnderStore } from '../../src/ufs/index.ts'
import { lanes } from '../../test/support/lanes.ts'
import { startAzurite } from '../../test/support/servers/azurite.ts'
import { startCeph } from '../../test/support/servers/ceph.ts'
import { startGluster } from '../../test/support/servers/gluster.ts'
import { startHdfs } from '../../test/support/servers/hdfs.ts'
import {
  type S3Server,
  startMinio,
  startS3Latency,
  startToxiproxy,
} from '../../test/support/servers/index.ts'
import { scratchFolder } from '../../test/support/servers/process.ts'
import { startSwift } from '../../test/support/servers/swift.ts'
import { startNginx } from '../../test/support/servers/web.ts'

const MIB = 2 ** 20
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mib: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    objects: { type: 'string', default: '2000' },
  },
})
const BYTES = Number(values.mib) * MIB
const ROUNDS = Number(values.rounds)
const OBJECTS = Number(values.objects)
const wanted = positionals.length === 0 ? ['minio', 'latency', 'local'] : positionals

interface Run {
  readonly name: string
  run(): Promise<number>
}

/** Runs all in turn, `ROUNDS` times, and prints the median of each with its ratio to the first. */
async function compare(title: string, unit: string, scale: number, runs: readonly Run[]): Promise<void> {
  const figures = runs.map((): { rate: number; cpu: number }[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { run }] of runs.entries()) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      const amount = await run()
      const seconds = (performance.now() - start) / 1000
      const used = process.cpuUsage(cpu)
      figures[i]!.push({
        rate: amount / scale / seconds,
        cpu: (used.user + used.system) / 1e6 / (amount / scale),
      })
    }
  }
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!
  const base = median(figures[0]!.map(({ rate }) => rate))
  console.log(`\n${title}`)
  for (const [i, { name }] of runs.entries()) {
    const rate = median(figures[i]!.map((figure) => figure.rate))
    const cpu = median(figures[i]!.map((figure) => figure.cpu))
    console.log(
      `  ${name.padEnd(34)} ${rate.toFixed(2).padStart(9)} ${unit}/s  ${(cpu * 1000).toFixed(2).padStart(9)} CPU ms/${unit}  ${(rate / base).toFixed(2)} x`,
    )
  }
}

function bareClient(server: S3Server, endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 256 } },
  })
}

async function bareRange(
  client: S3Client,
  bucket: string,
  key: string,
  first: number,
  bytes: number,
): Promise<number> {
  const { Body } = await client.send(
    new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=${first}-${first + bytes - 1}` }),
  )
  let seen = 0
  for await (const chunk of Body as AsyncIterable<Uint8Array>) seen += chunk.length
  return seen
}

async function ourRange(store: UnderStore, path: string, offset: number, length: number): Promise<number> {
  let seen = 0
  for await (const chunk of store.open(path, { offset, length })) seen += chunk.length
  return seen
}

async function inRanges(
  rangeBytes: number,
  parallel: number,
  read: (first: number, bytes: number) => Promise<number>,
) {
  let total = 0
  await lanes(Math.ceil(BYTES / rangeBytes), parallel, async (i) => {
    const got = await read(i * rangeBytes, Math.min(rangeBytes, BYTES - i * rangeBytes))
    total += got
  })
  if (total !== BYTES) throw new Error(`${total} of ${BYTES} bytes`)
  return total
}

const openAt = (server: S3Server, endpoint: string) =>
  openStore(`s3://${server.bucket}`, server.options({ 'alluxio.underfs.s3.endpoint': endpoint }), {
    runtime: systemRuntime,
    log: silentLog,
    metrics: new Metrics(),
  })

async function largeObject(title: string, server: S3Server, endpoint: string, key: string): Promise<void> {
  const client = bareClient(server, endpoint)
  const store = await openAt(server, endpoint)
  const shapes = [1, 4, 8, 16].flatMap((mib) => [8, 16, 32].map((parallel) => ({ mib, parallel })))
  let best = { mib: 8, parallel: 8, rate: 0 }
  for (const { mib, parallel } of shapes) {
    const start = performance.now()
    await inRanges(mib * MIB, parallel, (first, bytes) => bareRange(client, server.bucket, key, first, bytes))
    const rate = BYTES / (performance.now() - start)
    if (rate > best.rate) best = { mib, parallel, rate }
  }
  const { bestRangeBytes, bestRangeParallelism } = store.capabilities
  const bare = (mib: number, parallel: number) => () =>
    inRanges(mib * MIB, parallel, (first, bytes) => bareRange(client, server.bucket, key, first, bytes))
  const ours = (bytes: number, parallel: number) => () =>
    inRanges(bytes, parallel, (first, length) => ourRange(store, key, first, length))
  await compare(`${title}: ${values.mib} MiB object`, 'GiB', 2 ** 30, [
    { name: `SDK, its best: ${best.parallel} x ${best.mib} MiB`, run: bare(best.mib, best.parallel) },
    { name: `store, the same ranges`, run: ours(best.mib * MIB, best.parallel) },
    {
      name: `store, ${bestRangeParallelism} x ${bestRangeBytes / MIB} MiB (declared)`,
      run: ours(bestRangeBytes, bestRangeParallelism),
    },
    { name: 'SDK, one stream', run: () => bareRange(client, server.bucket, key, 0, BYTES) },
    { name: 'store, one stream', run: () => ourRange(store, key, 0, BYTES) },
  ])
  await store.close()
  client.destroy()
}

async function smallObjects(server: S3Server): Promise<void> {
  const client = bareClient(server, server.endpoint)
  const store = await openAt(server, server.endpoint)
  const name = (i: number) => `small/${String(i).padStart(6, '0')}`
  const count = async (read: (i: number) => Promise<number>) => {
    await lanes(OBJECTS, 16, read)
    return OBJECTS
  }
  await compare('4 KiB objects, 16 in flight, 20 ms a call (800/s is the limit)', 'object', 1, [
    { name: 'SDK', run: () => count((i) => bareRange(client, server.bucket, name(i), 0, 4096)) },
    { name: 'store', run: () => count((i) => ourRange(store, name(i), 0, 4096)) },
  ])
  await store.close()
  client.destroy()
}

async function fillMinio(server: S3Server, key: string): Promise<void> {
  const store = await openAt(server, server.endpoint)
  const chunk = Buffer.alloc(MIB, 7)
  const start = performance.now()
  const writer = await store.create(key, { sizeHint: BYTES })
  for (let at = 0; at < BYTES; at += MIB) await writer.write(chunk)
  await writer.close()
  console.log(
    `\nupload to MinIO: ${(BYTES / 2 ** 30 / ((performance.now() - start) / 1000)).toFixed(2)} GiB/s`,
  )
  await store.close()
}

async function local(): Promise<void> {
  const folder = scratchFolder('ufs-bench')
  const store = await openStore(
    folder.path,
    {},
    { runtime: systemRuntime, log: silentLog, metrics: new Metrics() },
  )
  const chunk = Buffer.alloc(MIB, 7)
  const plain = `${folder.path}/plain`
  const writes: Run[] = [
    {
      // Beside the old file and over it, as the store does: writing into pages that are already there costs less.
      name: 'node:fs, 1 MiB writes, rename',
      async run() {
        const file = await openFile(`${plain}.new`, 'w')
        for (let at = 0; at < BYTES; at += MIB) await file.write(chunk, 0, MIB, at)
        await file.close()
        await rename(`${plain}.new`, plain)
        return BYTES
      },
    },
    {
      name: 'store',
      async run() {
        const writer = await store.create('ours')
        for (let at = 0; at < BYTES; at += MIB) await writer.write(chunk)
        await writer.close()
        return BYTES
      },
    },
  ]
  await compare('local write', 'GiB', 2 ** 30, writes)
  await compare('local read, cached by the system', 'GiB', 2 ** 30, [
    {
      name: 'node:fs, 1 MiB reads into one buffer',
      async run() {
        const file = await openFile(plain, 'r')
        for (let at = 0; at < BYTES; at += MIB) await file.read(chunk, 0, MIB, at)
        await file.close()
        return BYTES
      },
    },
    {
      name: 'node:fs, 1 MiB reads, new buffers',
      async run() {
        const file = await openFile(plain, 'r')
        for (let at = 0; at < BYTES; at += MIB) await file.read(Buffer.allocUnsafeSlow(MIB), 0, MIB, at)
        await file.close()
        return BYTES
      },
    },
    { name: 'store', run: () => ourRange(store, 'ours', 0, BYTES) },
  ])
  await rm(plain)
  await store.close()
  folder.remove()
}

/** The bare client of stores that speak plain HTTP: node:http with kept connections. */
function bareHttp(agent: Agent, base: string, headers: Readonly<Record<string, string>> = {}) {
  return (name: string, first: number, bytes: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const range = `bytes=${first}-${first + bytes - 1}`
      const asked = httpGet(base + name, { agent, headers: { ...headers, range } }, (answer) => {
        let seen = 0
        answer.on('data', (chunk: Buffer) => {
          seen += chunk.length
        })
        answer.on('error', reject)
        answer.on('end', () =>
          answer.statusCode === 206 ? resolve(seen) : reject(new Error(String(answer.statusCode))),
        )
      })
      asked.on('error', reject)
    })
}

async function plainHttp(title: string, base: string, store: UnderStore): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const bare = bareHttp(agent, base, { 'x-ms-version': '2021-12-02' })
  const { bestRangeBytes, bestRangeParallelism } = store.capabilities
  const large = (read: (first: number, bytes: number) => Promise<number>) => () =>
    inRanges(bestRangeBytes, bestRangeParallelism, read)
  await compare(
    `${title}: ${values.mib} MiB, ${bestRangeParallelism} x ${bestRangeBytes / MIB} MiB`,
    'GiB',
    2 ** 30,
    [
      { name: 'node:http', run: large((first, bytes) => bare('large', first, bytes)) },
      { name: 'store', run: large((first, bytes) => ourRange(store, 'large', first, bytes)) },
      { name: 'node:http, one stream', run: () => bare('large', 0, BYTES) },
      { name: 'store, one stream', run: () => ourRange(store, 'large', 0, BYTES) },
    ],
  )
  const small = (read: (i: number) => Promise<number>) => async () => {
    await lanes(OBJECTS, 16, read)
    return OBJECTS
  }
  await compare(`${title}: 4 KiB files, 16 in flight`, 'file', 1, [
    { name: 'node:http', run: small((i) => bare(`small/${i}`, 0, 4096)) },
    { name: 'store', run: small((i) => ourRange(store, `small/${i}`, 0, 4096)) },
  ])
  await store.close()
  agent.destroy()
}

async function web(): Promise<void> {
  const folder = scratchFolder('ufs-bench')
  const file = await openFile(`${folder.path}/large`, 'w')
  for (let at = 0; at < BYTES; at += MIB) await file.write(Buffer.alloc(MIB, 7), 0, MIB, at)
  await file.close()
  await mkdir(`${folder.path}/small`)
  await lanes(OBJECTS, 16, (i) => writeFile(`${folder.path}/small/${i}`, Buffer.alloc(4096, 7)))
  const server = await startNginx(folder.path)
  try {
    const modules = { runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
    await plainHttp(
      'nginx',
      `${server.endpoint}html/`,
      await openStore(`${server.endpoint}html`, {}, modules),
    )
  } finally {
    await server.stop()
    folder.remove()
  }
}

async function azure(): Promise<void> {
  const server = await startAzurite()
  try {
    const modules = { runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
    const date = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-12-02' }
    const headers: Record<string, string> = {
      ...date,
      'content-length': '0',
      'x-ms-blob-public-access': 'container',
    }
    const url = new URL(`${server.endpoint}/bench?restype=container`)
    const query = { restype: 'container' }
    headers.authorization = sharedKey(server.account, server.key, {
      method: 'PUT',
      path: url.pathname,
      query,
      headers,
    })
    const made = await fetch(url, { method: 'PUT', headers })
    if (!made.ok) throw new Error(await made.text())
    const store = await openStore('wasb://bench', server.options(), modules)
    const writer = await store.create('large', { sizeHint: BYTES })
    for (let at = 0; at < BYTES; at += MIB) await writer.write(Buffer.alloc(MIB, 7))
    await writer.close()
    await lanes(OBJECTS, 16, async (i) => {
      const one = await store.create(`small/${i}`)
      await one.write(Buffer.alloc(4096, 7))
      await one.close()
    })
    await plainHttp('Azurite', `${server.endpoint}/bench/`, store)
  } finally {
    await server.stop()
  }
}

/** Both steps of WebHDFS by node:http; what is written goes out in chunks of a MiB. */
function bareHdfs(namenode: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const ask = (method: string, url: string, bytes = 0) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest(url, { agent, method }, resolve)
      outgoing.on('error', reject)
      if (bytes === 0) outgoing.end()
      else Readable.from(chunksOf(bytes)).pipe(outgoing)
    })
  const located = async (method: string, path: string, query: string) => {
    const url = `${namenode}/webhdfs/v1/${path}?user.name=root&noredirect=true&${query}`
    return ((await json(await ask(method, url))) as { Location: string }).Location
  }
  return {
    async read(path: string, offset: number, length: number): Promise<number> {
      let seen = 0
      const from = await located('GET', path, `op=OPEN&offset=${offset}&length=${length}`)
      for await (const chunk of await ask('GET', from)) seen += (chunk as Uint8Array).length
      return seen
    },
    async write(path: string, bytes: number): Promise<void> {
      const answer = await ask('PUT', await located('PUT', path, 'op=CREATE&overwrite=true'), bytes)
      answer.resume()
      if (answer.statusCode !== 201) throw new Error(`create: ${answer.statusCode}`)
    },
  }
}

function* chunksOf(bytes: number): Generator<Uint8Array> {
  const chunk = Buffer.alloc(Math.min(MIB, bytes), 7)
  for (let at = 0; at < bytes; at += chunk.length) yield chunk
}

async function hdfs(): Promise<void> {
  const server = await startHdfs()
  try {
    const bare = bareHdfs(server.addresses[0]!)
    const store = await openStore(`${server.uri}/bench`, server.options(), {
      runtime: systemRuntime,
      log: silentLog,
      metrics: new Metrics(),
    })
    const put = async (path: string, bytes: number) => {
      const writer = await store.create(path)
      for (const chunk of chunksOf(bytes)) await writer.write(chunk)
      await writer.close()
    }
    await compare(`HDFS, write ${values.mib} MiB`, 'GiB', 2 ** 30, [
      { name: 'node:http', run: () => bare.write('bench/bare', BYTES).then(() => BYTES) },
      { name: 'store', run: () => put('large', BYTES).then(() => BYTES) },
    ])
    const { bestRangeBytes: range, bestRangeParallelism: parallel } = store.capabilities
    await compare(`HDFS, read ${values.mib} MiB`, 'GiB', 2 ** 30, [
      { name: 'node:http, one stream', run: () => bare.read('bench/large', 0, BYTES) },
      { name: 'store, one stream', run: () => ourRange(store, 'large', 0, BYTES) },
      {
        name: `node:http, ${parallel} x ${range / MIB} MiB`,
        run: () => inRanges(range, parallel, (first, bytes) => bare.read('bench/large', first, bytes)),
      },
      {
        name: `store, ${parallel} x ${range / MIB} MiB (declared)`,
        run: () => inRanges(range, parallel, (first, bytes) => ourRange(store, 'large', first, bytes)),
      },
    ])
    await smallHdfsFiles(store, bare, put)
    await store.close()
  } finally {
    await server.stop()
  }
}

async function smallHdfsFiles(
  store: UnderStore,
  bare: ReturnType<typeof bareHdfs>,
  put: (path: string, bytes: number) => Promise<void>,
): Promise<void> {
  const all = async (work: (i: number) => Promise<unknown>) => {
    await lanes(OBJECTS, 16, work)
    return OBJECTS
  }
  await compare('HDFS, 4 KiB files written, 16 in flight', 'file', 1, [
    { name: 'node:http (2 calls)', run: () => all((i) => bare.write(`bench/bare-small/${i}`, 4096)) },
    { name: 'store (2 calls, status, rename)', run: () => all((i) => put(`small/${i}`, 4096)) },
  ])
  const versions = new Map<number, string>()
  await all(async (i) => versions.set(i, (await store.status(`small/${i}`)).fingerprint))
  const known = async (i: number) => {
    for await (const _ of store.open(`small/${i}`, {
      offset: 0,
      length: 4096,
      fingerprint: versions.get(i)!,
    }));
  }
  await compare('HDFS, 4 KiB files read, 16 in flight', 'file', 1, [
    { name: 'node:http (2 calls)', run: () => all((i) => bare.read(`bench/small/${i}`, 0, 4096)) },
    { name: 'store, version known (3 calls)', run: () => all(known) },
    { name: 'store (4 calls)', run: () => all((i) => ourRange(store, `small/${i}`, 0, 4096)) },
  ])
}

async function swift(): Promise<void> {
  const server = await startSwift()
  try {
    const container = `/${server.container}`
    // Anonymous reads, so that the bare client needs no token.
    await server.ask('POST', container, { headers: { 'x-container-read': '.r:*' } })
    const opened = (options = {}) =>
      openStore(`swift:/${container}`, server.options(options), {
        runtime: systemRuntime,
        log: silentLog,
        metrics: new Metrics(),
      })
    const store = await opened()
    const unchecked = await opened({ 'alluxio.underfs.swift.checksum': 'NONE' })
    const agent = new Agent({ keepAlive: true, maxSockets: 64 })
    const token = await server.token()
    const bare = (name: string, bytes: number) =>
      new Promise<void>((resolve, reject) => {
        const url = `${server.endpoint}/v1/AUTH_test${container}/${name}`
        const headers = { 'x-auth-token': token, 'content-length': bytes }
        const outgoing = httpRequest(url, { agent, method: 'PUT', headers }, (answer) => {
          answer.resume()
          if (answer.statusCode === 201) answer.once('end', resolve)
          else reject(new Error(`PUT ${name}: ${answer.statusCode}`))
        })
        outgoing.on('error', reject)
        Readable.from(chunksOf(bytes)).pipe(outgoing)
      })
    const put = async (store: UnderStore, path: string, bytes: number) => {
      const writer = await store.create(path)
      for (const chunk of chunksOf(bytes)) await writer.write(chunk)
      await writer.close()
    }
    await compare(`Swift, write ${values.mib} MiB`, 'GiB', 2 ** 30, [
      { name: 'node:http, one object', run: () => bare('bare', BYTES).then(() => BYTES) },
      { name: 'store, segments', run: () => put(store, 'large', BYTES).then(() => BYTES) },
      { name: 'store, segments, no MD5', run: () => put(unchecked, 'large', BYTES).then(() => BYTES) },
    ])
    const all = async (work: (i: number) => Promise<unknown>) => {
      await lanes(OBJECTS, 16, work)
      return OBJECTS
    }
    await compare('Swift, 4 KiB objects written, 16 in flight', 'object', 1, [
      { name: 'node:http', run: () => all((i) => bare(`bare-small/${i}-${Math.random()}`, 4096)) },
      { name: 'store, new', run: () => all((i) => put(store, `new/${i}-${Math.random()}`, 4096)) },
    ])
    await all((i) => put(store, `small/${i}`, 4096))
    await server.ask('POST', `${container}_segments`, { headers: { 'x-container-read': '.r:*' } })
    agent.destroy()
    await plainHttp('Swift', `${server.endpoint}/v1/AUTH_test${container}/`, store)
  } finally {
    await server.stop()
  }
}

/** libgfapi and nothing else. */
async function bareGluster(host: string, volume: string) {
  const library = koffi.load('libgfapi.so.0')
  const functions = {
    init: library.func('int glfs_init(void *)'),
    fini: library.func('int glfs_fini(void *)'),
    open: library.func('void *glfs_open(void *, const char *, int)'),
    creat: library.func('void *glfs_creat(void *, const char *, int, uint)'),
    pread: library.func('int64_t glfs_pread(void *, void *, size_t, int64_t, int, void *)'),
    pwrite: library.func('int64_t glfs_pwrite(void *, const void *, size_t, int64_t, int, void *, void *)'),
    close: library.func('int glfs_close(void *)'),
    rename: library.func('int glfs_rename(void *, const char *, const char *)'),
  }
  const call = (name: keyof typeof functions, ...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      functions[name].async(...args, (error: Error | null, result: unknown) =>
        error === null && Number(result) !== -1 && result !== null
          ? resolve(result)
          : reject(error ?? new Error(`${name} failed`)),
      )
    })
  const client = library.func('void *glfs_new(const char *)')(volume)
  library.func('int glfs_set_volfile_server(void *, const char *, const char *, int)')(
    client,
    'tcp',
    host,
    24_007,
  )
  library.func('int glfs_set_logging(void *, const char *, int)')(client, '/dev/null', 4)
  await call('init', client)
  return { client, call }
}

async function gluster(): Promise<void> {
  const server = await startGluster()
  const modules = { runtime: systemRuntime, log: silentLog, metrics: new Metrics() }
  const store = await openStore(`glusterfs://${server.host}/${server.volume}`, {}, modules)
  const bare = await bareGluster(server.host, server.volume)
  const chunk = Buffer.alloc(MIB, 7)
  const plainWrite = async (place: string, bytes: Uint8Array, times: number) => {
    const file = await bare.call('creat', bare.client, `${place}.new`, 1, 0o644)
    for (let i = 0; i < times; i++) {
      await bare.call('pwrite', file, bytes, bytes.length, i * bytes.length, 0, null, null)
    }
    await bare.call('close', file)
    await bare.call('rename', bare.client, `${place}.new`, place)
    return times * bytes.length
  }
  const plainRead = async (place: string, length: number) => {
    const file = await bare.call('open', bare.client, place, 0)
    let total = 0
    while (total < length) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(MIB, length - total))
      total += Number(await bare.call('pread', file, buffer, buffer.length, total, 0, null))
    }
    await bare.call('close', file)
    return total
  }
  const ourWrite = async (path: string, bytes: Uint8Array, times: number) => {
    const writer = await store.create(path)
    for (let i = 0; i < times; i++) await writer.write(bytes)
    await writer.close()
    return times * bytes.length
  }
  const small = chunk.subarray(0, 4096)
  const each = async (work: (i: number) => Promise<unknown>) => {
    await lanes(OBJECTS, 8, work)
    return OBJECTS
  }
  await store.mkdir('small')
  try {
    await compare('GlusterFS write', 'GiB', 2 ** 30, [
      { name: 'libgfapi, 1 MiB writes, rename', run: () => plainWrite('/plain', chunk, BYTES / MIB) },
      { name: 'store', run: () => ourWrite('ours', chunk, BYTES / MIB) },
    ])
    await compare('GlusterFS read', 'GiB', 2 ** 30, [
      {
        name: 'libgfapi, 1 MiB reads, new buffers',
        run: () => plainRead('/plain', BYTES),
      },
      { name: 'store', run: () => ourRange(store, 'ours', 0, BYTES) },
    ])
    await compare('GlusterFS, files of 4 KiB, 8 in flight: write', 'file', 1, [
      { name: 'libgfapi', run: () => each((i) => plainWrite(`/small/p${i}`, small, 1)) },
      { name: 'store', run: () => each((i) => ourWrite(`small/o${i}`, small, 1)) },
    ])
    await compare('GlusterFS, files of 4 KiB, 8 in flight: read', 'file', 1, [
      { name: 'libgfapi', run: () => each((i) => plainRead(`/small/p${i}`, 4096)) },
      { name: 'store', run: () => each((i) => ourRange(store, `small/o${i}`, 0, 4096)) },
    ])
  } finally {
    await Promise.all([store.close(), bare.call('fini', bare.client)])
    await server.stop()
  }
}

if (wanted.includes('gluster')) await gluster()
if (wanted.includes('rgw')) {
  const { gateway } = await startCeph()
  try {
    await fillMinio(gateway, 'large')
    await largeObject('RGW', gateway, gateway.endpoint, 'large')
  } finally {
    await gateway.stop()
  }
}
if (wanted.includes('local')) await local()
if (wanted.includes('hdfs')) await hdfs()
if (wanted.includes('swift')) await swift()
if (wanted.includes('web')) await web()
if (wanted.includes('azure')) await azure()
if (wanted.includes('latency')) {
  const server = await startS3Latency({ delayMs: 20 })
  try {
    await server.fill('large', 1, BYTES)
    await server.fill('small/', OBJECTS, 4096)
    await largeObject('latency server', server, server.endpoint, 'large000000')
    await smallObjects(server)
  } finally {
    await server.stop()
  }
}
if (wanted.includes('minio')) {
  const server = await startMinio()
  const toxiproxy = await startToxiproxy()
  try {
    await fillMinio(server, 'large')
    const slow = await toxiproxy.proxy('s3', server.endpoint)
    await toxiproxy.toxic('s3', 'latency', { latency: 20 })
    await largeObject('MinIO, direct', server, server.endpoint, 'large')
    await largeObject('MinIO, 20 ms by toxiproxy', server, slow, 'large')
  } finally {
    await toxiproxy.stop()
    await server.stop()
  }
}
