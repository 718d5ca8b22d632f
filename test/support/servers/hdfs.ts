/**
 * HDFS from Maven's jars alone: NameNode and DataNode as processes of their own, or a pair of NameNodes that share their journal by a
 * JournalNode. Three traps are dealt with: the shaded jars need slf4j-reload4j (else a daemon vanishes silently) and, on Java 17,
 * jaxb-api (else every call of WebHDFS answers 500); and closing a small file waits 400 ms unless told otherwise.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ServerMissing } from './binary.ts'
import { run } from './debian.ts'
import { site } from './hadoop-site.ts'
import { mavenJars } from './maven.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

const VERSION = '3.4.1'
const JARS = {
  name: 'hadoop-hdfs',
  jars: [
    `org.apache.hadoop:hadoop-client-minicluster:${VERSION}`,
    `org.apache.hadoop:hadoop-client-runtime:${VERSION}`,
    `org.apache.hadoop:hadoop-client-api:${VERSION}`,
    'org.slf4j:slf4j-reload4j:1.7.36',
    'javax.xml.bind:jaxb-api:2.3.1',
    'org.glassfish.jaxb:jaxb-runtime:2.3.1',
  ],
}
const SERVICE = 'pair'
const READY_MS = 120_000

/** A process of HDFS that can fail. */
export interface HdfsDaemon {
  /** SIGSTOP: it hangs, its connections stay open. */
  pause(): void
  resume(): void
  /** SIGKILL. */
  kill(): Promise<void>
  /** After `kill`: the same ports and data; resolves when HDFS serves again. */
  restart(): Promise<void>
}

export interface HdfsServer {
  /** HTTP addresses of the NameNodes. */
  readonly addresses: readonly string[]
  /** `hdfs://127.0.0.1:port`, or the name service of a pair. */
  readonly uri: string
  readonly rpcPort: number
  readonly nameNodes: readonly HdfsDaemon[]
  readonly dataNode: HdfsDaemon
  /** core-site.xml and hdfs-site.xml as clients have them, with a colon between. */
  readonly configuration: string
  /** Options of a mount. */
  options(more?: Readonly<Record<string, string>>): Record<string, string>
  /** Of a pair: makes the other NameNode the active one. */
  failOver(to: number): Promise<void>
  stop(): Promise<void>
}

/** @throws ServerMissing with the reason */
export async function startHdfs(options: { readonly pair?: boolean } = {}): Promise<HdfsServer> {
  const jars = await mavenJars(JARS)
  const cluster = new HdfsCluster(jars, options.pair === true ? 2 : 1)
  try {
    await cluster.start()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

class HdfsCluster implements HdfsServer {
  readonly #folder = scratchFolder('hdfs')
  readonly #jars: string
  readonly #count: number
  readonly #processes: ServerProcess[] = []
  #http: number[] = []
  #rpc: number[] = []
  #journalPort = 0

  constructor(jars: string, count: number) {
    this.#jars = jars
    this.#count = count
  }

  get addresses(): string[] {
    return this.#http.map((port) => `http://127.0.0.1:${port}`)
  }

  get uri(): string {
    return this.#count > 1 ? `hdfs://${SERVICE}` : `hdfs://127.0.0.1:${this.rpcPort}`
  }

  get rpcPort(): number {
    return this.#rpc[0]!
  }

  get configuration(): string {
    const folder = join(this.#folder.path, 'client')
    return `${join(folder, 'core-site.xml')}:${join(folder, 'hdfs-site.xml')}`
  }

  get nameNodes(): HdfsDaemon[] {
    return this.#processes.slice(0, this.#count).map((process) => this.#daemon(process))
  }

  get dataNode(): HdfsDaemon {
    return this.#daemon(this.#processes[this.#count]!)
  }

  options(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { 'alluxio.underfs.hdfs.namenodes': this.addresses.join(','), ...more }
  }

  async start(): Promise<void> {
    const ports = await Promise.all(Array.from({ length: 2 * this.#count + 5 }, freePort))
    this.#http = ports.splice(0, this.#count)
    this.#rpc = ports.splice(0, this.#count)
    const [journalHttp, data, dataHttp, dataIpc] = [ports.pop()!, ports.pop()!, ports.pop()!, ports.pop()!]
    this.#journalPort = ports.pop()!
    this.#configure('client', {})
    const nodes = Array.from({ length: this.#count }, (_, i) => this.#nameNode(i))
    const dataNode = this.#java('dn', 'server.datanode.DataNode', {
      'dfs.datanode.data.dir': `file://${this.#folder.path}/dn-data`,
      'dfs.datanode.address': `127.0.0.1:${data}`,
      'dfs.datanode.http.address': `127.0.0.1:${dataHttp}`,
      'dfs.datanode.ipc.address': `127.0.0.1:${dataIpc}`,
    })
    const listening = (port: number) => async () => (await fetch(`http://127.0.0.1:${port}/jmx?qry=x`)).ok
    this.#processes.push(
      ...nodes.map((node, i) => new ServerProcess(node, listening(this.#http[i]!))),
      new ServerProcess(dataNode, listening(dataHttp)),
    )
    const [first, second] = this.#processes
    if (this.#count === 1) {
      await this.#run('nn0', 'server.namenode.NameNode', ['-format', '-nonInteractive'])
      await Promise.all(this.#processes.map((process) => process.start()))
    } else {
      const journal = this.#java('jn', 'qjournal.server.JournalNode', {
        'dfs.journalnode.edits.dir': `${this.#folder.path}/jn-data`,
        'dfs.journalnode.rpc-address': `127.0.0.1:${this.#journalPort}`,
        'dfs.journalnode.http-address': `127.0.0.1:${journalHttp}`,
      })
      this.#processes.push(new ServerProcess(journal, listening(journalHttp)))
      await this.#processes.at(-1)!.start()
      await this.#run('nn0', 'server.namenode.NameNode', ['-format', '-nonInteractive'])
      await first!.start()
      await this.#run('nn1', 'server.namenode.NameNode', ['-bootstrapStandby', '-nonInteractive'])
      await Promise.all([second!.start(), this.#processes[2]!.start()])
      await this.failOver(0)
    }
    await this.#serving()
  }

  async failOver(to: number): Promise<void> {
    const other = 1 - to
    // `-failover` would want fencing.
    await this.#run('client', 'tools.DFSHAAdmin', [
      '-ns',
      SERVICE,
      '-transitionToStandby',
      `nn${other}`,
    ]).catch(() => {})
    await this.#run('client', 'tools.DFSHAAdmin', [
      '-ns',
      SERVICE,
      '-transitionToActive',
      '--forceactive',
      `nn${to}`,
    ])
    await this.#serving()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()))
    this.#folder.remove()
  }

  #daemon(process: ServerProcess): HdfsDaemon {
    return {
      pause: () => process.pause(),
      resume: () => process.resume(),
      kill: () => process.kill(),
      restart: async () => {
        await process.start()
        if (this.#count === 1) await this.#serving()
      },
    }
  }

  /** Until an active NameNode has left safe mode and knows the DataNode. */
  async #serving(): Promise<void> {
    const end = Date.now() + READY_MS
    let last = ''
    while (Date.now() < end) {
      for (const address of this.addresses) {
        const bean = async (name: string) => {
          const answer = await fetch(`${address}/jmx?qry=Hadoop:service=NameNode,name=${name}`).catch(
            () => undefined,
          )
          return ((await answer?.json().catch(() => undefined)) as { beans?: Record<string, unknown>[] })
            ?.beans?.[0]
        }
        const state = await bean('FSNamesystem')
        const info = await bean('NameNodeInfo')
        last = `${state?.['tag.HAState']}, ${state?.NumLiveDataNodes} DataNodes, safe mode "${info?.Safemode}"`
        if (state?.['tag.HAState'] === 'active' && state.NumLiveDataNodes === 1 && info?.Safemode === '')
          return
      }
      await delay(100)
    }
    throw new ServerMissing(
      `HDFS does not serve: ${last}; ${this.#processes.map(({ output }) => output).join('\n')}`,
    )
  }

  #nameNode(i: number): ConstructorParameters<typeof ServerProcess>[0] {
    return this.#java(`nn${i}`, 'server.namenode.NameNode', {
      'dfs.namenode.name.dir': `file://${this.#folder.path}/nn${i}-data`,
      ...(this.#count > 1 ? { 'dfs.ha.namenode.id': `nn${i}` } : {}),
    })
  }

  #java(
    name: string,
    main: string,
    properties: Readonly<Record<string, string>>,
    args: readonly string[] = [],
  ) {
    this.#configure(name, properties)
    return { binary: 'java', args: this.#arguments(name, main, args), startMs: READY_MS }
  }

  #arguments(name: string, main: string, args: readonly string[]): string[] {
    return [
      '-Xmx192m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.net.preferIPv4Stack=true',
      '-cp',
      `${join(this.#folder.path, name)}:${this.#jars}/*`,
      `org.apache.hadoop.hdfs.${main}`,
      ...args,
    ]
  }

  async #run(name: string, main: string, args: readonly string[]): Promise<void> {
    await run('java', this.#arguments(name, main, args))
  }

  /** Writes the configuration of one process; what is the same for all stands here. */
  #configure(name: string, properties: Readonly<Record<string, string>>): void {
    const folder = join(this.#folder.path, name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'log4j.properties'),
      'log4j.rootLogger=WARN,A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\nlog4j.appender.A.layout=org.apache.log4j.PatternLayout\nlog4j.appender.A.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n\n',
    )
    writeFileSync(
      join(folder, 'core-site.xml'),
      site({
        'fs.defaultFS': this.uri,
        'hadoop.tmp.dir': join(this.#folder.path, 'tmp'),
        'hadoop.http.staticuser.user': 'root',
      }),
    )
    writeFileSync(join(folder, 'hdfs-site.xml'), site({ ...this.#shared(), ...properties }))
  }

  #shared(): Record<string, string> {
    return {
      ...this.#nameService(),
      'dfs.replication': '1',
      'dfs.namenode.rpc-bind-host': '127.0.0.1',
      'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
      'dfs.namenode.safemode.extension': '0',
      'dfs.namenode.safemode.min.datanodes': '1',
      'dfs.namenode.delegation.token.always-use': 'true',
      'dfs.heartbeat.interval': '1',
      'dfs.permissions.superusergroup': 'root',
      'dfs.namenode.fs-limits.min-block-size': '1048576',
      'dfs.blocksize': String(16 * 2 ** 20),
      'dfs.client.block.write.replace-datanode-on-failure.policy': 'NEVER',
      'dfs.client.block.write.locateFollowingBlock.initial.delay.ms': '4',
      'dfs.datanode.hostname': '127.0.0.1',
      // Nobody waits for the disk of a test.
      'dfs.datanode.synconclose': 'false',
      'dfs.namenode.edits.noeditlogchannelflush': 'true',
    }
  }

  #nameService(): Record<string, string> {
    if (this.#count === 1) return { 'dfs.namenode.http-address': `127.0.0.1:${this.#http[0]}` }
    const members = this.#http.map((port, i) => ({
      [`dfs.namenode.rpc-address.${SERVICE}.nn${i}`]: `127.0.0.1:${this.#rpc[i]}`,
      [`dfs.namenode.http-address.${SERVICE}.nn${i}`]: `127.0.0.1:${port}`,
    }))
    return {
      'dfs.nameservices': SERVICE,
      [`dfs.ha.namenodes.${SERVICE}`]: 'nn0,nn1',
      ...Object.assign({}, ...members),
      'dfs.namenode.shared.edits.dir': `qjournal://127.0.0.1:${this.#journalPort}/${SERVICE}`,
      [`dfs.client.failover.proxy.provider.${SERVICE}`]:
        'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
      'dfs.ha.fencing.methods': 'shell(/bin/true)',
      'dfs.ha.tail-edits.period': '1',
    }
  }
}
