/** Real Alluxio: built once into the cache, its master and worker on ports of their own. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Driver } from './driver.ts'
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

const VERSION = '2.9.6'
const HERE = import.meta.dirname
export const CACHE = process.env.ALLUXIO_BENCH_CACHE ?? join(homedir(), '.cache', 'alluxio-bench')
const JAR = join(CACHE, `alluxio-${VERSION}.jar`)
const CLASSES = join(CACHE, 'classes')
const JAVA_HOME = process.env.JAVA_HOME
const java = JAVA_HOME ? join(JAVA_HOME, 'bin', 'java') : 'java'
/** Packages that Alluxio and its libraries reach into. */
const OPENED = ['lang', 'nio', 'util', 'io', 'net'].map((name) => `java.base/java.${name}`)
const OPENS = [...OPENED, 'java.base/sun.nio.ch', 'java.base/jdk.internal.misc'].map(
  (name) => `--add-opens=${name}=ALL-UNNAMED`,
)

/** Builds what the cache lacks: the jar by Maven (minutes), the driver by javac. */
export function build(): void {
  mkdirSync(CLASSES, { recursive: true })
  const run = (command: string, args: string[]) => execFileSync(command, args, { stdio: ['ignore', 2, 2] })
  if (!existsSync(JAR)) {
    process.stderr.write(`building ${JAR} (once)\n`)
    run('mvn', ['-B', '-q', '-f', join(HERE, 'java', 'pom.xml'), `-Dbench.cache=${CACHE}`, 'package'])
  }
  const source = join(HERE, 'java/src/main/java/peers/Driver.java')
  const compiled = join(CLASSES, 'peers/Driver.class')
  if (!existsSync(compiled) || statSync(compiled).mtimeMs < statSync(source).mtimeMs)
    run('javac', ['-nowarn', '-cp', JAR, '-d', CLASSES, source])
}

export async function startUpstream(options: ClusterOptions): Promise<Upstream> {
  build()
  const upstream = new Upstream(options, await freePorts(5))
  await upstream.start(true)
  return upstream
}

const MAINS = {
  master: 'alluxio.master.AlluxioMaster',
  worker: 'alluxio.worker.AlluxioWorker',
  proxy: 'alluxio.proxy.AlluxioProxy',
} as const

class Upstream implements Side {
  readonly name = 'alluxio'
  readonly #options: ClusterOptions
  readonly #home: string
  readonly #ports: readonly number[]
  readonly #servers = new Servers({ master: () => this.#master(), worker: () => this.#worker() })

  #proxy: Server | undefined

  constructor(options: ClusterOptions, ports: readonly number[]) {
    this.#options = options
    this.#home = join(options.directory, 'alluxio')
    this.#ports = ports
  }

  get pids(): readonly number[] {
    return this.#servers.pids
  }
  get masterPid(): number {
    return this.#servers.masterPid
  }
  get metadata(): readonly string[] {
    return [join(this.#home, 'journal'), join(this.#home, 'metastore')]
  }

  async start(format: boolean): Promise<void> {
    if (format) this.#prepare()
    await this.#servers.start()
  }

  restart(ready: () => Promise<unknown>): Promise<number> {
    return this.#servers.restart(ready)
  }

  #prepare(): void {
    for (const name of ['conf', 'logs', 'ufs']) mkdirSync(join(this.#home, name), { recursive: true })
    mkdirSync(this.#options.tier, { recursive: true })
    writeFileSync(join(this.#home, 'conf', 'alluxio-site.properties'), this.#site())
    writeFileSync(join(this.#home, 'log4j.properties'), LOG4J)
    this.#format('MASTER')
    this.#format('WORKER')
  }

  #master(): Promise<Server> {
    const memory = ['-Xms256m', `-Xmx${this.#options.masterHeap}`, '-XX:MaxDirectMemorySize=2g']
    return this.#server(memory, 'master', this.#ports[0]!)
  }

  #worker(): Promise<Server> {
    return this.#server(['-Xmx1g', '-XX:MaxDirectMemorySize=4g'], 'worker', this.#ports[2]!)
  }

  /** Signatures are not checked unless it is told to: a name is enough. */
  async s3Gateway(): Promise<Gateway> {
    this.#proxy ??= await this.#server(['-Xmx1g', '-XX:MaxDirectMemorySize=2g'], 'proxy', this.#ports[4]!)
    const endpoint = `http://127.0.0.1:${this.#ports[4]}/api/v1/s3`
    const scope = `${userInfo().username}/20260101/us-east-1/s3/aws4_request`
    const headers = { Authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=x` }
    return { pids: this.#proxy.pids, target: (_, path) => ({ url: `${endpoint}${path}`, headers }) }
  }

  async #server(memory: readonly string[], name: keyof typeof MAINS, port: number): Promise<Server> {
    const main = MAINS[name]
    const server = new Server(this.#java(memory, main), join(this.#home, 'logs', `${name}.out`))
    await server.listening(port)
    return server
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop()
    await this.#servers.stop()
    rmSync(this.#options.tier, { recursive: true, force: true })
    rmSync(this.#home, { recursive: true, force: true })
  }

  driver(options: DriverOptions = {}): Promise<Driver> {
    const memory = options.light
      ? ['-Xmx128m', '-XX:MaxDirectMemorySize=64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
      : ['-Xmx2g', '-XX:MaxDirectMemorySize=3g']
    const [command, ...args] = this.#java([...memory, ...definitions(options.properties)], 'peers.Driver')
    return Driver.start(command!, args)
  }

  /** `args` as of `alluxio fs ...`, the only command that is compared. */
  shell(args: readonly string[], properties: Readonly<Record<string, string>> = {}): readonly string[] {
    return [...this.#java(definitions(properties), 'alluxio.cli.fs.FileSystemShell'), ...args.slice(1)]
  }

  async heapBytes(): Promise<number> {
    for (let i = 0; i < 2; i++) {
      execFileSync('jcmd', [String(this.masterPid), 'GC.run'], { stdio: 'ignore' })
      await sleep(1500)
    }
    const columns = execFileSync('jstat', ['-gc', String(this.masterPid)], { encoding: 'utf8' }).split(
      '\n',
    )[1]!
    const f = columns.trim().split(/\s+/).map(Number)
    return (f[2]! + f[3]! + f[5]! + f[7]!) * 1024
  }

  #format(what: 'MASTER' | 'WORKER'): void {
    const [command, ...args] = this.#java([], 'alluxio.cli.Format')
    execFileSync(command!, [...args, what], { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  #java(options: readonly string[], main: string): string[] {
    const home = this.#home
    const folders = [
      `-Dalluxio.site.conf.dir=${home}/conf`,
      `-Dalluxio.conf.dir=${home}/conf`,
      `-Dalluxio.home=${home}`,
    ]
    const logs = [`-Dalluxio.logs.dir=${home}/logs`, `-Dlog4j.configuration=file:${home}/log4j.properties`]
    return [java, ...OPENS, ...options, '-cp', `${CLASSES}:${JAR}`, ...folders, ...logs, main]
  }

  /** Upstream at its best: access times, metrics collection and checks of the configuration cost and are off. */
  #site(): string {
    const { tier, tierBytes } = this.#options
    const [masterRpc, masterWeb, workerRpc, workerWeb, proxyWeb] = this.#ports
    const roles = ['master', 'worker']
    return `${[
      `alluxio.home=${this.#home}`,
      ...roles.map((role) => `alluxio.${role}.hostname=127.0.0.1`),
      ...roles.map((role) => `alluxio.${role}.bind.host=127.0.0.1`),
      'alluxio.user.hostname=127.0.0.1',
      'alluxio.job.master.hostname=127.0.0.1',
      `alluxio.master.rpc.port=${masterRpc}`,
      `alluxio.master.web.port=${masterWeb}`,
      `alluxio.worker.rpc.port=${workerRpc}`,
      `alluxio.worker.web.port=${workerWeb}`,
      `alluxio.master.mount.table.root.ufs=${this.#home}/ufs`,
      'alluxio.master.metastore=HEAP',
      `alluxio.master.metastore.dir=${this.#home}/metastore`,
      'alluxio.master.journal.type=UFS',
      `alluxio.master.journal.folder=${this.#home}/journal`,
      `alluxio.worker.ramdisk.size=${tierBytes}`,
      'alluxio.worker.tieredstore.levels=1',
      'alluxio.worker.tieredstore.level0.alias=MEM',
      `alluxio.worker.tieredstore.level0.dirs.path=${tier}`,
      `alluxio.worker.tieredstore.level0.dirs.quota=${tierBytes}`,
      'alluxio.proxy.web.bind.host=127.0.0.1',
      `alluxio.proxy.web.port=${proxyWeb}`,
      'alluxio.user.metrics.collection.enabled=false',
      'alluxio.conf.validation.enabled=false',
      'alluxio.user.update.file.accesstime.disabled=true',
      'alluxio.master.update.check.enabled=false',
      `alluxio.logs.dir=${this.#home}/logs`,
    ].join('\n')}\n`
  }
}

const LOG4J = `log4j.rootLogger=WARN, C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.target=System.err
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %-5p %c{1} - %m%n
`
