/** Our cluster for the comparison: master and worker daemons on ports of their own, one tier, metadata on the same disk. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Driver } from './driver.ts'
import { presigned, type S3Key } from './http-load.ts'
import { freePorts } from './machine.ts'
import {
  type ClusterOptions,
  type DriverOptions,
  definitions,
  type Gateway,
  Server,
  Servers,
  type Side,
} from './side.ts'

const HERE = import.meta.dirname
const ALLUXIO = join(HERE, '../../bin/alluxio')

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = new Cluster(options, await freePorts(9))
  await cluster.start(true)
  return cluster
}

class Cluster implements Side {
  readonly name = 'ours'
  readonly #options: ClusterOptions
  readonly #home: string
  readonly #ports: readonly number[]
  readonly #servers = new Servers({
    master: () => this.#daemon('master', this.#ports[0]!, this.#ports[4]!),
    worker: () => this.#daemon('worker', this.#ports[2]!, this.#ports[5]!),
  })

  #proxy: Promise<Server> | undefined

  constructor(options: ClusterOptions, ports: readonly number[]) {
    this.#options = options
    this.#home = join(options.directory, 'ours')
    this.#ports = ports
  }

  get pids(): readonly number[] {
    return this.#servers.pids
  }
  get masterPid(): number {
    return this.#servers.masterPid
  }
  get metadata(): readonly string[] {
    return [join(this.#home, 'metastore')]
  }

  async start(format: boolean): Promise<void> {
    if (format) {
      mkdirSync(join(this.#home, 'logs'), { recursive: true })
      mkdirSync(this.#options.tier, { recursive: true })
      const env = this.#environment()
      execFileSync(ALLUXIO, ['format', ...this.#flags()], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    }
    await this.#servers.start()
  }

  restart(ready: () => Promise<unknown>): Promise<number> {
    return this.#servers.restart(ready)
  }

  /** BENCH_NODE_OPTIONS reaches the daemons only: --cpu-prof and the like. */
  async #daemon(name: string, port: number, inspectPort: number): Promise<Server> {
    const options = `--inspect-port=${inspectPort} ${process.env.BENCH_NODE_OPTIONS ?? ''}`
    const env = { ...this.#environment(), NODE_OPTIONS: options }
    const server = new Server(
      [ALLUXIO, 'daemon', name, ...this.#flags()],
      join(this.#home, 'logs', `${name}.out`),
      env,
    )
    await server.listening(port)
    return server
  }

  async s3Gateway(): Promise<Gateway> {
    const { pids } = await this.#startProxy()
    const [command, ...args] = this.shell([
      's3',
      'credential',
      'create',
      '--user',
      userInfo().username,
      '--json',
    ])
    const key = JSON.parse(execFileSync(command!, args, { encoding: 'utf8' })) as S3Key
    const endpoint = `http://127.0.0.1:${this.#ports[6]}`
    return { pids, target: (method, path) => presigned(method, endpoint, path, key) }
  }

  async webHdfsGateway(): Promise<Gateway> {
    const { pids } = await this.#startProxy()
    return { pids, target: (_, path) => ({ url: `http://127.0.0.1:${this.#ports[7]}${path}` }) }
  }

  #startProxy(): Promise<Server> {
    this.#proxy ??= this.#daemon('proxy', this.#ports[6]!, this.#ports[8]!)
    return this.#proxy
  }

  async stop(): Promise<void> {
    await (await this.#proxy)?.stop()
    await this.#servers.stop()
    rmSync(this.#options.tier, { recursive: true, force: true })
    if (!process.env.BENCH_NODE_OPTIONS) rmSync(this.#home, { recursive: true, force: true })
  }

  driver(options: DriverOptions = {}): Promise<Driver> {
    const flags = definitions({ ...this.#properties(), ...options.properties })
    const profile = process.env.BENCH_CLIENT_NODE_OPTIONS?.split(' ') ?? []
    return Driver.start(process.execPath, [...profile, join(HERE, 'ours.ts'), ...flags], this.#environment())
  }

  shell(args: readonly string[], properties: Readonly<Record<string, string>> = {}): readonly string[] {
    return [
      'env',
      `ALLUXIO_DATA=${this.#home}`,
      ALLUXIO,
      ...args,
      ...this.#flags(),
      ...definitions(properties),
    ]
  }

  /** Heap and buffers in use after a collection, asked of V8 itself. */
  async heapBytes(): Promise<number> {
    process.kill(this.masterPid, 'SIGUSR1')
    const inspector = await this.#inspector()
    const socket = new WebSocket(inspector)
    await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
    const ask = (method: string, params: object = {}) =>
      new Promise<{ result?: { value: number } }>((resolve) => {
        socket.addEventListener('message', (e) => resolve(JSON.parse(String(e.data)).result), { once: true })
        socket.send(JSON.stringify({ id: 1, method, params }))
      })
    await ask('HeapProfiler.collectGarbage')
    const expression = 'process.memoryUsage().heapUsed + process.memoryUsage().external'
    const answer = await ask('Runtime.evaluate', { expression })
    await ask('Runtime.evaluate', {
      expression: "setTimeout(() => process.getBuiltinModule('inspector').close(), 50)",
    })
    socket.close()
    return answer.result!.value
  }

  async #inspector(): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      try {
        const list = await fetch(`http://127.0.0.1:${this.#ports[4]}/json/list`)
        return ((await list.json()) as { webSocketDebuggerUrl: string }[])[0]!.webSocketDebuggerUrl
      } catch (error) {
        if (attempt === 50) throw error
        await sleep(100)
      }
    }
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, ALLUXIO_DATA: this.#home }
  }

  #flags(): string[] {
    return definitions(this.#properties())
  }

  #properties(): Record<string, string> {
    const [masterRpc, masterWeb, workerRpc, workerWeb, , , s3, webHdfs] = this.#ports
    return {
      'alluxio.master.rpc.port': String(masterRpc),
      'alluxio.master.web.port': String(masterWeb),
      'alluxio.worker.rpc.port': String(workerRpc),
      'alluxio.worker.web.port': String(workerWeb),
      'alluxio.proxy.web.port': String(s3),
      'alluxio.proxy.webhdfs.port': String(webHdfs),
      'alluxio.worker.ramdisk.mount': 'NoMount',
      'alluxio.worker.ramdisk.size': String(this.#options.tierBytes),
      'alluxio.worker.tieredstore.levels': '1',
      'alluxio.worker.tieredstore.level0.alias': 'MEM',
      'alluxio.worker.tieredstore.level0.dirs.path': this.#options.tier,
      'alluxio.worker.tieredstore.level0.dirs.quota': String(this.#options.tierBytes),
    }
  }
}
