/** YARN from Maven's jars: a ResourceManager and NodeManagers with the shuffle of MapReduce, as processes of their own. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { site } from './hadoop-site.ts'
import { mavenJars, UTF8 } from './maven.ts'
import { complete, freePort, ServerProcess, scratchFolder } from './process.ts'

/** The last that has the examples as well. */
const VERSION = '3.4.2'
const JARS = {
  name: 'hadoop-yarn',
  jars: [
    ...[
      'hadoop-common',
      'hadoop-hdfs-client',
      'hadoop-yarn-server-resourcemanager',
      'hadoop-yarn-server-nodemanager',
      'hadoop-yarn-server-timelineservice',
      'hadoop-mapreduce-client-app',
      'hadoop-mapreduce-client-jobclient',
      'hadoop-mapreduce-client-shuffle',
      'hadoop-mapreduce-examples',
      'hadoop-distcp',
    ].map((name) => `org.apache.hadoop:${name}:${VERSION}`),
    'org.slf4j:slf4j-reload4j:1.7.36',
  ],
  // Else Maven takes a core that is older than the databind beside it.
  pinned: [
    'com.fasterxml.jackson.core:jackson-core:2.12.7',
    'com.fasterxml.jackson.core:jackson-annotations:2.12.7',
    'com.fasterxml.jackson.core:jackson-databind:2.12.7.1',
  ],
}
const JAVA = [
  ...['lang', 'util', 'net', 'nio', 'io', 'util.concurrent'].map(
    (name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`,
  ),
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Djava.net.preferIPv4Stack=true',
]
const READY_MS = 90_000
const JSON_WANTED = { headers: { accept: 'application/json' } }

export interface HadoopJob {
  /** Class with a main method. */
  readonly main: string
  readonly args: readonly string[]
  /** On top of the cluster's own. */
  readonly properties?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** A NodeManager. */
export interface YarnNode {
  /** What YARN calls it; its processes and those of jobs know it, and nobody else. */
  readonly host: string
  /** Address of this machine for which the name stands. */
  readonly address: string
  readonly properties?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

export interface YarnOptions {
  /** Jars that every process has beside Hadoop's own. */
  readonly jars?: readonly string[]
  /** @default one, 127.0.0.1 */
  readonly nodes?: readonly YarnNode[]
  /** Of every process, on top of what a small cluster needs. */
  readonly properties?: Readonly<Record<string, string>>
}

const ONE_NODE: readonly YarnNode[] = [{ host: '127.0.0.1', address: '127.0.0.1' }]

export class Yarn {
  readonly #folder = scratchFolder('yarn')
  readonly #classPath: string
  readonly #options: YarnOptions
  readonly #java: readonly string[]
  readonly #processes: ServerProcess[] = []
  #properties: Record<string, string> = {}
  /** `host:port` of the ResourceManager. */
  #web = ''
  #jobs = 0

  private constructor(classPath: string, options: YarnOptions) {
    this.#classPath = classPath
    this.#options = options
    this.#java = [...JAVA, ...this.#names()]
  }

  /** @throws ServerMissing with the reason */
  static async start(options: YarnOptions = {}): Promise<Yarn> {
    const folder = await mavenJars(JARS)
    const yarn = new Yarn([join(folder, '*'), ...(options.jars ?? [])].join(':'), options)
    try {
      await yarn.#start()
      return yarn
    } catch (error) {
      await yarn.stop()
      throw error
    }
  }

  /** Runs a program that may send jobs to the cluster; returns what it printed and logged. @throws Error with its last words and those of the tasks */
  async run({ main, args, properties = {}, timeoutMs = 240_000 }: HadoopJob): Promise<string> {
    const conf = this.#configure(`job-${this.#jobs++}`, properties)
    try {
      return await complete({
        binary: 'java',
        args: ['-Xmx256m', ...this.#java, '-cp', `${conf}:${this.#classPath}`, main, ...args],
        env: UTF8,
        timeoutMs,
      })
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#lastWords()}`)
    }
  }

  async stop(): Promise<void> {
    for (const process of this.#processes.reverse()) await process.stop()
    this.#folder.remove()
  }

  /** Nodes by their attributes, as the ResourceManager knows them: `prefix/name=value`. */
  async nodeAttributes(): Promise<Record<string, string[]>> {
    interface Node {
      readonly nodeHostName: string
      readonly nodeAttributesInfo?: {
        readonly nodeAttributeInfo?: readonly { prefix: string; name: string; value: string }[]
      }
    }
    const answer = await fetch(`http://${this.#web}/ws/v1/cluster/nodes`, JSON_WANTED)
    const { nodes } = (await answer.json()) as { nodes: { node: Node[] } }
    const list = (node: Node) =>
      (node.nodeAttributesInfo?.nodeAttributeInfo ?? []).map(
        ({ prefix, name, value }) => `${prefix}/${name}=${value}`,
      )
    const pairs = nodes.node.map((node) => [node.nodeHostName, list(node)] as const)
    return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  async #start(): Promise<void> {
    const { nodes = ONE_NODE, properties = {} } = this.#options
    const ports = await Promise.all(Array.from({ length: 5 }, freePort))
    const address = () => `127.0.0.1:${ports.pop()}`
    this.#web = address()
    const path = (name: string) => join(this.#folder.path, name)
    this.#properties = {
      'hadoop.tmp.dir': path('tmp'),
      'yarn.resourcemanager.hostname': '127.0.0.1',
      'yarn.resourcemanager.address': address(),
      'yarn.resourcemanager.scheduler.address': address(),
      'yarn.resourcemanager.resource-tracker.address': address(),
      'yarn.resourcemanager.admin.address': address(),
      'yarn.resourcemanager.webapp.address': this.#web,
      'yarn.resourcemanager.scheduler.class':
        'org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler',
      'yarn.resourcemanager.nodemanagers.heartbeat-interval-ms': '100',
      'yarn.node-attribute.fs-store.root-dir': `file://${path('attributes')}`,
      'yarn.scheduler.minimum-allocation-mb': '64',
      'yarn.nodemanager.disk-health-checker.enable': 'false',
      'yarn.nodemanager.vmem-check-enabled': 'false',
      'yarn.nodemanager.pmem-check-enabled': 'false',
      // An application master and two tasks.
      'yarn.nodemanager.resource.memory-mb': '1200',
      'yarn.nodemanager.resource.cpu-vcores': '8',
      'yarn.nodemanager.aux-services': 'mapreduce_shuffle',
      'yarn.nodemanager.aux-services.mapreduce_shuffle.class': 'org.apache.hadoop.mapred.ShuffleHandler',
      // What containers run finds the nodes by their names.
      ...(this.#options.nodes === undefined
        ? {}
        : { 'yarn.nodemanager.admin-env': `JAVA_TOOL_OPTIONS=${this.#names()[0]}` }),
      'yarn.application.classpath': this.#classPath.replaceAll(':', ','),
      ...this.#mapReduce(),
      ...properties,
    }
    const server = 'org.apache.hadoop.yarn.server'
    this.#processes.push(
      this.#daemon(`${server}.resourcemanager.ResourceManager`, 'manager', {}, {}, (text) =>
        text.includes('activeNodes'),
      ),
    )
    for (const [i, node] of nodes.entries()) {
      const own = await this.#nodeProperties(node, `node-${i}`)
      this.#processes.push(
        this.#daemon(`${server}.nodemanager.NodeManager`, `node-${i}`, own, node.env ?? {}, (text) =>
          text.includes(`"activeNodes":${nodes.length},`),
        ),
      )
    }
    await Promise.all(this.#processes.map((each) => each.start()))
  }

  async #nodeProperties({ host, properties = {} }: YarnNode, name: string): Promise<Record<string, string>> {
    const ports = await Promise.all(Array.from({ length: 4 }, freePort))
    const address = () => `${host}:${ports.pop()}`
    return {
      'yarn.nodemanager.hostname': host,
      'yarn.nodemanager.address': address(),
      'yarn.nodemanager.localizer.address': address(),
      'yarn.nodemanager.collector-service.address': address(),
      'yarn.nodemanager.webapp.address': address(),
      'yarn.nodemanager.local-dirs': join(this.#folder.path, 'local', name),
      'yarn.nodemanager.log-dirs': join(this.#folder.path, 'logs', name),
      ...properties,
    }
  }

  /** @param isReady judges the metrics of the ResourceManager */
  #daemon(
    main: string,
    name: string,
    properties: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>>,
    isReady: (metrics: string) => boolean,
  ): ServerProcess {
    const conf = this.#configure(name, properties)
    return new ServerProcess(
      {
        binary: 'java',
        args: ['-Xmx256m', ...this.#java, '-cp', `${conf}:${this.#classPath}`, main],
        env: { ...UTF8, ...env },
        startMs: READY_MS,
      },
      async () => isReady(await (await fetch(`http://${this.#web}/ws/v1/cluster/metrics`)).text()),
    )
  }

  /** Names that only Java knows, by a file of its own. */
  #names(): string[] {
    const { nodes } = this.#options
    if (nodes === undefined) return []
    const file = join(this.#folder.path, 'hosts')
    const lines = nodes.map(({ host, address }) => `${address} ${host}`)
    writeFileSync(file, ['127.0.0.1 localhost', `127.0.0.1 ${hostname()}`, ...lines, ''].join('\n'))
    return [`-Djdk.net.hosts.file=${file}`]
  }

  #mapReduce(): Record<string, string> {
    return {
      'mapreduce.framework.name': 'yarn',
      'mapreduce.application.classpath': this.#classPath.replaceAll(':', ','),
      'mapreduce.shuffle.port': '0',
      'yarn.app.mapreduce.am.resource.mb': '384',
      'yarn.app.mapreduce.am.command-opts': `-Xmx256m ${JAVA.join(' ')}`,
      'yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms': '200',
      'mapreduce.map.memory.mb': '320',
      'mapreduce.reduce.memory.mb': '320',
      'mapred.child.java.opts': `-Xmx224m ${JAVA.join(' ')}`,
      'mapreduce.task.io.sort.mb': '32',
      'mapreduce.client.progressmonitor.pollinterval': '200',
      'mapreduce.client.completion.pollinterval': '200',
    }
  }

  /** Writes the configuration of one process; returns its folder. */
  #configure(name: string, properties: Readonly<Record<string, string>>): string {
    const folder = join(this.#folder.path, 'conf', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'log4j.properties'),
      'log4j.rootLogger=INFO,A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\nlog4j.appender.A.target=System.out\nlog4j.appender.A.layout=org.apache.log4j.PatternLayout\nlog4j.appender.A.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n\n',
    )
    const all = site({ ...this.#properties, ...properties })
    for (const file of ['core-site.xml', 'yarn-site.xml', 'mapred-site.xml', 'capacity-scheduler.xml'])
      writeFileSync(join(folder, file), all)
    return folder
  }

  /** Ends of the logs of containers, the last ones. */
  #lastWords(): string {
    const logs = join(this.#folder.path, 'logs')
    const found = readdirSync(logs, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\/(stderr|syslog)$/.test(name))
      .sort()
      .map((name) => [name, readFileSync(join(logs, name), 'utf8')] as const)
      .filter(([, text]) => /exception|error/i.test(text))
    return found
      .slice(-3)
      .map(([name, text]) => `--- ${name}\n${text.slice(-2500)}`)
      .join('\n')
  }
}
