/** The S3 gateways beside each other and beside nginx's sendfile; WebHDFS beside HDFS. CPU is the servers', not the client's. */
import { randomFillSync } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { startHdfs } from '../../../test/support/servers/hdfs.ts'
import { type Bench, SHM } from '../bench.ts'
import { download, type Target, upload, wrk } from '../http-load.ts'
import { Meter, processTree } from '../machine.ts'
import { startNginx } from '../nginx.ts'
import type { Side, SideName } from '../side.ts'

const KIB = 2 ** 10
const MIB = 2 ** 20
const FILES = { empty: 0, k4: 4 * KIB, m1: MIB, big: 512 * MIB } as const

/** Someone who serves over HTTP. */
interface Server {
  readonly side: SideName | 'machine'
  /** Begins what the cell's name begins with, for a third party. */
  readonly name?: string
  readonly pids: readonly number[]
  target(method: 'GET' | 'PUT', name: string): Target
}

export async function gateways(bench: Bench): Promise<void> {
  const folder = join(SHM, `alluxio-bench-www-${process.pid}`)
  mkdirSync(folder)
  bench.onEnd(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, bytes] of Object.entries(FILES))
    writeFileSync(join(folder, name), randomFillSync(Buffer.alloc(bytes)))
  const nginx = await startNginx(folder, bench.directory)
  bench.onEnd(() => nginx.stop())

  const { sides, stop } = await bench.clusters()
  const servers: Server[] = []
  for (const side of sides) {
    const { pids, target } = await side.s3Gateway()
    servers.push({
      side: side.name,
      pids: [...side.pids, ...pids],
      target: (method, name) => target(method, `/bkt/${name}`),
    })
    upload(target('PUT', '/bkt'), join(folder, 'empty'))
  }
  const disk: Server = {
    ...{ side: 'machine', name: 'nginx ', pids: nginx.pids },
    target: (_, name) => ({ url: `${nginx.endpoint}/${name}` }),
  }

  await bench.rounds(async (_round, keep) => {
    for (const server of servers) {
      for (const name of ['k4', 'm1'] as const) upload(server.target('PUT', name), join(folder, name))
      stream(
        bench,
        'PUT 512 MiB',
        server,
        () => upload(server.target('PUT', 'big'), join(folder, 'big')),
        keep,
      )
    }
  })
  await bench.rounds(async (_round, keep) => {
    for (const server of [...servers, disk]) {
      stream(bench, 'GET 512 MiB', server, () => download(server.target('GET', 'big')), keep)
      for (const connections of [16, 64])
        rate(bench, `GET 4 KiB@${connections}`, server, 'k4', connections, keep)
      rate(bench, 'GET 1 MiB@4', server, 'm1', 4, keep)
    }
  })
  await webHdfs(
    bench,
    sides.find(({ name }) => name === 'ours'),
    folder,
  )
  await stop()
}

/** Upstream has no such gateway: HDFS itself is beside ours. */
async function webHdfs(bench: Bench, ours: Side | undefined, folder: string): Promise<void> {
  if (ours?.webHdfsGateway === undefined) return
  const before = new Set(processTree(process.pid))
  const hdfs = await startHdfs()
  bench.onEnd(() => hdfs.stop())
  const hdfsPids = processTree(process.pid).filter((pid) => !before.has(pid))
  const gateway = await ours.webHdfsGateway()
  const file = join(folder, 'gib')
  writeFileSync(file, randomFillSync(Buffer.alloc(bench.scaled(1024 * MIB))))
  const rest = (op: string) => `/webhdfs/v1/bench/gib?op=${op}&user.name=${userInfo().username}`
  const servers: Server[] = [
    {
      ...{ side: 'machine', name: 'HDFS ', pids: hdfsPids },
      target: (_, op) => ({ url: `${hdfs.addresses[0]}${rest(op)}` }),
    },
    {
      ...{ side: 'ours', pids: [...ours.pids, ...gateway.pids] },
      target: (method, op) => gateway.target(method, rest(op)),
    },
  ]
  for (const { target } of servers) upload(target('PUT', 'CREATE&overwrite=true'), file)
  await bench.rounds(async (_round, keep) => {
    for (const server of servers) {
      rate(bench, 'WebHDFS GETFILESTATUS@64', server, 'GETFILESTATUS', 64, keep)
      stream(bench, 'WebHDFS OPEN 1 GiB', server, () => download(server.target('GET', 'OPEN')), keep)
    }
  })
}

function cellOf(server: Server, cell: string): string {
  return `${server.name ?? ''}${cell}`
}

function rate(
  bench: Bench,
  cell: string,
  server: Server,
  name: string,
  connections: number,
  keep: boolean,
): void {
  const meter = new Meter(server.pids)
  const { requests, secs, p50us, p99us, errors } = wrk(
    server.target('GET', name),
    connections,
    Math.ceil(bench.scaled(40) / 10),
  )
  const { cpu, others } = meter.read()
  if (keep)
    bench.report.add(cellOf(server, cell), server.side, '/s', {
      value: requests / secs,
      cpu: cpu / requests,
      others,
      p50us,
      p99us,
      errors,
    })
}

function stream(bench: Bench, cell: string, server: Server, run: () => number, keep: boolean): void {
  const meter = new Meter(server.pids)
  const bytesPerSecond = run()
  const { cpu, others, wall } = meter.read()
  const value = bytesPerSecond / 1e9
  if (keep)
    bench.report.add(cellOf(server, cell), server.side, 'GB/s', { value, cpu: cpu / (value * wall), others })
}
