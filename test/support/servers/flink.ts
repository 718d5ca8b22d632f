/** Flink as a standalone cluster from Maven's jars: a JobManager and TaskManagers, each a process that can be killed. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mavenJars } from './maven.ts'
import { complete, freePort, HERE, type Place, ServerProcess, scratchFolder } from './process.ts'

export const FLINK_VERSION = '2.1.3'
const JARS = {
  name: 'flink',
  jars: [
    ...['clients', 'connector-files', 'connector-datagen'].map(
      (name) => `org.apache.flink:flink-${name}:${FLINK_VERSION}`,
    ),
    'org.slf4j:slf4j-simple:1.7.36',
  ],
}
const JAVA = [
  ...['lang', 'util', 'net', 'nio', 'io', 'time', 'text', 'util.concurrent'].map(
    (name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`,
  ),
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Djava.net.preferIPv4Stack=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.org.apache.flink.metrics.MetricGroup=error',
]
const READY_MS = 90_000

export interface FlinkOptions {
  /** Of the JobManager and of who hands jobs in. @default this host */
  readonly home?: Place
  /** Jars that go into folders of their own below `plugins/`. */
  readonly plugins?: readonly string[]
  /** Jars that are as if in `lib/`. */
  readonly lib?: readonly string[]
  /** Names of hosts that only Flink's processes know, with the addresses of this machine for which they stand. */
  readonly hosts?: Readonly<Record<string, string>>
  /** On top of what a small cluster needs. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface FlinkJob {
  readonly jar: string
  /** Class with a main method. */
  readonly main: string
  readonly args: readonly string[]
  /** Path of a checkpoint or savepoint to begin with. */
  readonly from?: string
}

/** Jars of Flink, in one folder. @throws ServerMissing with the reason */
export function flinkJars(): Promise<string> {
  return mavenJars(JARS)
}

export class Flink {
  readonly #folder = scratchFolder('flink')
  readonly #classPath: string
  readonly #jars: string
  readonly #java: readonly string[]
  readonly #home: Place
  readonly #rest: string
  readonly #jobManager: ServerProcess
  readonly #taskManagers: ServerProcess[] = []

  private constructor(jars: string, ports: { rpc: number; rest: number }, options: FlinkOptions) {
    this.#jars = jars
    this.#classPath = [`${jars}/*`, ...(options.lib ?? [])].join(':')
    this.#java = [...JAVA, ...this.#names(options)]
    this.#home = options.home ?? HERE
    this.#rest = `http://${this.#home.address}:${ports.rest}`
    this.#configure(ports, options)
    const entry = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint'
    this.#jobManager = this.#process(
      this.#home,
      entry,
      ['-Xmx384m'],
      async () => (await fetch(`${this.#rest}/overview`)).ok,
    )
  }

  /** A JobManager without TaskManagers. @throws ServerMissing with the reason */
  static async start(options: FlinkOptions): Promise<Flink> {
    const jars = await flinkJars()
    const [rpc, rest] = await Promise.all([freePort(), freePort()])
    const flink = new Flink(jars, { rpc, rest }, options)
    try {
      await flink.#jobManager.start()
      return flink
    } catch (error) {
      await flink.stop()
      throw error
    }
  }

  /** SIGKILL, and the same again; it knows no job any more. */
  async restartJobManager(): Promise<void> {
    await this.#jobManager.kill()
    await this.#jobManager.start()
  }

  /** One with two slots more; ready once the JobManager knows it. */
  async addTaskManager(place: Place = HERE): Promise<ServerProcess> {
    // A killed one is known for a while yet.
    const id = `task-manager-${this.#taskManagers.length}`
    const process = this.#process(
      place,
      'org.apache.flink.runtime.taskexecutor.TaskManagerRunner',
      ['-Xmx512m', '-XX:MaxDirectMemorySize=256m', `-Dtest.host=${place.name}`],
      async () => {
        const { taskmanagers } = await this.#get<{ taskmanagers: { id: string }[] }>('taskmanagers')
        return taskmanagers.some((known) => known.id === id)
      },
      [`-Dtaskmanager.resource-id=${id}`, `-Dtaskmanager.host=${place.name}`],
    )
    this.#taskManagers.push(process)
    await process.start()
    return process
  }

  /** Hands a job in; returns its id. */
  async submit({ jar, main, args, from }: FlinkJob): Promise<string> {
    const printed = await complete({
      ...this.#home.command('java', [
        ...this.#java,
        ...['-Xmx256m', '-cp', this.#classPath, 'org.apache.flink.client.cli.CliFrontend'],
        ...['run', '-d', ...(from === undefined ? [] : ['-s', from]), '-c', main, jar, ...args],
      ]),
      env: this.#env(),
    })
    const id = /JobID ([0-9a-f]{32})/.exec(printed)?.[1]
    if (id === undefined) throw new Error(`Flink took no job: ${printed}`)
    return id
  }

  /** Ends a job as if its sources had ended, with a savepoint; resolves when it is over. */
  async drain(job: string, folder: string): Promise<void> {
    const body = JSON.stringify({ targetDirectory: folder, drain: true })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${this.#rest}/jobs/${job}/stop`, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`Flink does not end the job: ${await answer.text()}`)
    await this.until(job, async () => (await this.state(job)) === 'FINISHED')
  }

  async state(job: string): Promise<string> {
    return (await this.#get<{ state: string }>(`jobs/${job}`)).state
  }

  /** That a job has run, or did. */
  async seconds(job: string): Promise<number> {
    return (await this.#get<{ duration: number }>(`jobs/${job}`)).duration / 1000
  }

  /** What the tasks of a job count, by name; whole once the job is over. */
  async accumulators(job: string): Promise<Record<string, string>> {
    const path = `jobs/${job}/accumulators`
    const told = await this.#get<{ 'user-task-accumulators': { name: string; value: string }[] }>(path)
    return Object.fromEntries(told['user-task-accumulators'].map(({ name, value }) => [name, value]))
  }

  async completedCheckpoints(job: string): Promise<number> {
    return (await this.#get<{ counts: { completed: number } }>(`jobs/${job}/checkpoints`)).counts.completed
  }

  /** Counts of the coordinators of a job's operators, such as the enumerator of its source; by the end of their name. */
  async coordinatorMetric(job: string, name: string): Promise<number | undefined> {
    const { vertices } = await this.#get<{ vertices: { id: string }[] }>(`jobs/${job}`)
    for (const { id } of vertices) {
      const path = `jobs/${job}/vertices/${id}/jm-operator-metrics`
      const known = await this.#get<{ id: string }[]>(path)
      const found = known.find((metric) => metric.id.endsWith(name))
      if (found === undefined) continue
      const [metric] = await this.#get<{ value: string }[]>(`${path}?get=${encodeURIComponent(found.id)}`)
      return Number(metric?.value)
    }
    return undefined
  }

  /** Times that the job was begun anew. */
  async restarts(job: string): Promise<number> {
    return Number(
      (await this.#get<{ value: string }[]>(`jobs/${job}/metrics?get=numRestarts`))[0]?.value ?? 0,
    )
  }

  /** Waits until `done` says so. @throws Error when the job is over before, or with its last words after `timeoutMs` */
  async until(job: string, done: () => Promise<boolean>, timeoutMs = 180_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!(await done())) {
      const state = await this.state(job)
      const isOver = state === 'FAILED' || state === 'FINISHED' || Date.now() > deadline
      if (isOver && !(await done())) throw new Error(`the job is ${state}: ${await this.#why(job)}`)
      await pause(100)
    }
  }

  async stop(): Promise<void> {
    for (const process of [...this.#taskManagers, this.#jobManager]) await process.kill()
    this.#folder.remove()
  }

  async #why(job: string): Promise<string> {
    const told = await this.#get<{ exceptionHistory: { entries: { stacktrace: string }[] } }>(
      `jobs/${job}/exceptions`,
    )
    const last = told.exceptionHistory.entries.map(({ stacktrace }) => stacktrace.slice(0, 2000))
    return [...last.slice(0, 2), this.#jobManager.output].join('\n')
  }

  async #get<T>(path: string): Promise<T> {
    return (await (await fetch(`${this.#rest}/${path}`)).json()) as T
  }

  #process(
    place: Place,
    main: string,
    memory: readonly string[],
    ready: () => Promise<boolean>,
    settings: readonly string[] = [],
  ): ServerProcess {
    const configuration = ['--configDir', join(this.#folder.path, 'conf'), ...settings]
    const args = [...this.#java, ...memory, '-cp', this.#classPath, main, ...configuration]
    return new ServerProcess({ ...place.command('java', args), env: this.#env(), startMs: READY_MS }, ready)
  }

  #names({ hosts }: FlinkOptions): string[] {
    if (hosts === undefined) return []
    const file = join(this.#folder.path, 'hosts')
    const lines = Object.entries({ localhost: '127.0.0.1', [hostname()]: '127.0.0.1', ...hosts })
    writeFileSync(file, lines.map(([name, address]) => `${address} ${name}\n`).join(''))
    return [`-Djdk.net.hosts.file=${file}`]
  }

  #env(): Record<string, string> {
    return {
      FLINK_CONF_DIR: join(this.#folder.path, 'conf'),
      FLINK_PLUGINS_DIR: join(this.#folder.path, 'plugins'),
      FLINK_LIB_DIR: this.#jars,
    }
  }

  #configure(
    { rpc, rest }: { rpc: number; rest: number },
    { plugins = [], properties = {} }: FlinkOptions,
  ): void {
    const { path } = this.#folder
    for (const jar of plugins) {
      const folder = join(path, 'plugins', basename(jar, '.jar'))
      mkdirSync(folder, { recursive: true })
      copyFileSync(jar, join(folder, basename(jar)))
    }
    mkdirSync(join(path, 'tmp'), { recursive: true })
    mkdirSync(join(path, 'conf'), { recursive: true })
    const settings = {
      'jobmanager.rpc.address': this.#home.name,
      'jobmanager.rpc.port': String(rpc),
      'rest.address': this.#home.name,
      'rest.port': String(rest),
      'io.tmp.dirs': join(path, 'tmp'),
      'taskmanager.numberOfTaskSlots': '2',
      // What the shell scripts of a distribution work out.
      'taskmanager.cpu.cores': '2.0',
      'taskmanager.memory.task.heap.size': '256mb',
      'taskmanager.memory.task.off-heap.size': '64mb',
      'taskmanager.memory.framework.heap.size': '64mb',
      'taskmanager.memory.framework.off-heap.size': '64mb',
      'taskmanager.memory.jvm-metaspace.size': '128mb',
      'taskmanager.memory.jvm-overhead.min': '64mb',
      'taskmanager.memory.jvm-overhead.max': '64mb',
      'taskmanager.memory.managed.size': '64mb',
      'taskmanager.memory.network.min': '32mb',
      'taskmanager.memory.network.max': '32mb',
      'heartbeat.interval': '500',
      'heartbeat.timeout': '5000',
      ...properties,
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key}: '${value}'\n`)
    writeFileSync(join(path, 'conf', 'config.yaml'), lines.join(''))
  }
}
