/**
 * What the thread of a plug-in costs, and the SFTP plug-in against its raw client: `node bench/scenario/plug-in.bench.ts [hop|sftp] …`.
 *
 * `hop`   one store (files of a local folder, chunks of 1 MiB) in this thread and in one of its own: reads, writes, status
 * `sftp`  a real sshd: the store in its thread against ssh2 alone, reads in flight alike
 *
 * Options: --mib 1024, --rounds 3, --files 1000.
 */
import { mkdir, open as openFile, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Config } from '../../src/core/config/index.ts'
import '../../src/core/options/index.ts'
import { silentLog, systemRuntime } from '../../src/core/index.ts'
import { openStore, StorePlugIns, type UfsFactory, type UnderStore } from '../../src/ufs/index.ts'
import { lanes } from '../../test/support/lanes.ts'
import { scratchFolder } from '../../test/support/servers/process.ts'
import { type Sshd, startSshd } from '../../test/support/servers/sshd.ts'

/** What is used here of ssh2, which has no types of its own. */
interface Sftp {
  open(path: string, flags: string, done: (error: Error | undefined, handle: Buffer) => void): void
  read(
    handle: Buffer,
    into: Buffer,
    at: number,
    length: number,
    position: number,
    done: (error: Error | undefined, bytes: number) => void,
  ): void
  close(handle: Buffer, done: () => void): void
}
interface Client {
  once(event: string, listener: (error?: Error) => void): void
  setNoDelay(on: boolean): void
  sftp(done: (error: Error | undefined, session: Sftp) => void): void
  connect(options: object): void
  end(): void
}
const ssh2 = createRequire(import.meta.url)('ssh2') as { readonly Client: new () => Client }

const MIB = 2 ** 20
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mib: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '1000' },
  },
})
const BYTES = Number(values.mib) * MIB
const FILES = Number(values.files)
const IN_FLIGHT = 16

interface Run {
  readonly name: string
  /** Returns how much was done, in units. */
  run(): Promise<number>
}

/** Runs all in turn and prints the median of each, with its ratio to the first. */
async function compare(title: string, unit: string, runs: readonly Run[]): Promise<void> {
  const figures = runs.map((): { rate: number; cpu: number }[] => [])
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, { run }] of runs.entries()) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      const done = await run()
      const { user, system } = process.cpuUsage(cpu)
      figures[i]!.push({
        rate: done / ((performance.now() - start) / 1000),
        cpu: (user + system) / 1000 / done,
      })
    }
  }
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!
  console.log(`\n${title}`)
  const base = median(figures[0]!.map(({ rate }) => rate))
  for (const [i, { name }] of runs.entries()) {
    const rate = median(figures[i]!.map((figure) => figure.rate))
    const cpu = median(figures[i]!.map((figure) => figure.cpu))
    console.log(
      `  ${name.padEnd(30)} ${rate.toFixed(2).padStart(10)} ${unit}/s ${cpu.toFixed(3).padStart(10)} CPU ms/${unit}  ${(rate / base).toFixed(2)} x`,
    )
  }
}

async function readAll(store: UnderStore, path: string, length = BYTES): Promise<number> {
  let seen = 0
  for await (const chunk of store.open(path, { offset: 0, length })) seen += chunk.length
  return seen
}

const reading = (store: UnderStore) => async () => (await readAll(store, 'large')) / 2 ** 30

const writing = (store: UnderStore) => async () => {
  const chunk = Buffer.alloc(MIB, 7)
  const writer = await store.create('written')
  for (let at = 0; at < BYTES; at += MIB) await writer.write(chunk)
  await writer.close()
  return BYTES / 2 ** 30
}

const asking = (store: UnderStore) => async () => {
  await lanes(FILES * 10, IN_FLIGHT, () => store.status('large'))
  return FILES * 10
}

async function fill(path: string): Promise<void> {
  const file = await openFile(path, 'w')
  for (let at = 0; at < BYTES; at += MIB) await file.write(Buffer.alloc(MIB, 7), 0, MIB, at)
  await file.close()
}

function pluggedIn(scheme: string, module: string): StorePlugIns {
  const modules = `${scheme}=${resolve(module)}`
  return StorePlugIns.of(Config.load({ env: {}, overrides: { 'alluxio.underfs.modules': modules } }))
}

async function hop(): Promise<void> {
  const folder = scratchFolder('plug-in-bench')
  const module = 'test/support/shelf-store/shelf.mjs'
  await mkdir(join(folder.path, 'shelf/files'), { recursive: true })
  await fill(join(folder.path, 'shelf/files/large'))
  const { default: factory } = (await import(resolve(module))) as { readonly default: UfsFactory }
  const modules = { runtime: systemRuntime, log: silentLog }
  const options = { 'shelf.root': folder.path }
  const here = await openStore('shelf://shelf', options, { ...modules, factories: [factory] })
  const apart = await openStore('shelf://shelf', options, { ...modules, plugIns: pluggedIn('shelf', module) })
  const both = (work: (store: UnderStore) => () => Promise<number>) => [
    { name: 'in this thread', run: work(here) },
    { name: 'in a thread of its own', run: work(apart) },
  ]
  await compare(`read of ${values.mib} MiB`, 'GiB', both(reading))
  await compare(`write of ${values.mib} MiB`, 'GiB', both(writing))
  await compare(`status, ${IN_FLIGHT} in flight`, 'call', both(asking))
  await Promise.all([here.close(), apart.close()])
  folder.remove()
}

async function sftp(): Promise<void> {
  const sshd = await startSshd()
  await fill(join(sshd.folder, 'large'))
  await mkdir(join(sshd.folder, 'small'))
  await lanes(FILES, IN_FLIGHT, (i) => writeFile(join(sshd.folder, `small/${i}`), Buffer.alloc(4096, 7)))
  const { session, end } = await bareClient(sshd)
  const store = await openStore(`sftp://127.0.0.1:${sshd.port}${sshd.folder}`, sshd.options, {
    runtime: systemRuntime,
    log: silentLog,
    plugIns: pluggedIn('sftp', 'plugins/ufs-sftp/src/index.mjs'),
  })
  await compare(`sshd: read of ${values.mib} MiB`, 'GiB', [
    {
      name: 'ssh2',
      run: () => bareRead(session, join(sshd.folder, 'large'), BYTES).then((n) => n / 2 ** 30),
    },
    { name: 'store', run: reading(store) },
  ])
  const small = (read: (i: number) => Promise<number>) => async () => {
    await lanes(FILES, IN_FLIGHT, read)
    return FILES
  }
  await compare(`sshd: 4 KiB files, ${IN_FLIGHT} in flight`, 'file', [
    { name: 'ssh2', run: small((i) => bareRead(session, join(sshd.folder, `small/${i}`), 4096)) },
    { name: 'store', run: small((i) => readAll(store, `small/${i}`, 4096)) },
  ])
  await compare(`sshd: write of ${values.mib} MiB`, 'GiB', [{ name: 'store', run: writing(store) }])
  await store.close()
  end()
  await sshd.stop()
}

async function bareClient(sshd: Sshd): Promise<{ readonly session: Sftp; readonly end: () => void }> {
  const client = new ssh2.Client()
  const privateKey = await readFile(sshd.keyFile)
  const session = await new Promise<Sftp>((fulfil, reject) => {
    client.once('error', reject)
    client.once('connect', () => client.setNoDelay(true))
    client.once('ready', () => client.sftp((error, opened) => (error ? reject(error) : fulfil(opened))))
    client.connect({ host: '127.0.0.1', port: sshd.port, username: sshd.user, privateKey })
  })
  return { session, end: () => client.end() }
}

/** Open, reads of 128 KiB with 16 in flight, close. */
async function bareRead(session: Sftp, path: string, bytes: number): Promise<number> {
  const handle = await new Promise<Buffer>((fulfil, reject) => {
    session.open(path, 'r', (error, opened) => (error ? reject(error) : fulfil(opened)))
  })
  const step = 128 * 1024
  let total = 0
  await lanes(
    Math.ceil(bytes / step),
    IN_FLIGHT,
    (i) =>
      new Promise<void>((fulfil, reject) => {
        const length = Math.min(step, bytes - i * step)
        session.read(handle, Buffer.allocUnsafeSlow(length), 0, length, i * step, (error, count) => {
          total += count
          if (error) reject(error)
          else fulfil()
        })
      }),
  )
  await new Promise<void>((fulfil) => session.close(handle, () => fulfil()))
  return total
}

const wanted = positionals.length === 0 ? ['hop', 'sftp'] : positionals
if (wanted.includes('hop')) await hop()
if (wanted.includes('sftp')) await sftp()
process.exit()
