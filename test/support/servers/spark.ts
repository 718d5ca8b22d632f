/** Apache Spark from PyPI: programs run by spark-submit, in one process or on a standalone cluster. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { javaAndMaven, mavenJars, UTF8 } from './maven.ts'
import { complete, freePort, HERE, type Place, ServerProcess, scratchFolder } from './process.ts'
import { pythonWith } from './python.ts'

/** What PyPI's releases are built with. */
const RELEASES = {
  '4.0': { version: '4.0.1', scala: '2.13', hadoop: '3.4.1' },
  '3.5': { version: '3.5.7', scala: '2.12', hadoop: '3.3.4' },
} as const

export type SparkRelease = keyof typeof RELEASES

/** A standalone Spark cluster needs every process to fit a small machine. */
const DAEMON_MEMORY = '256m'

export interface SparkJob {
  readonly program: string
  readonly args: readonly string[]
  /** `spark-defaults.conf`, as text. */
  readonly settings: string
  /** @default local[2] */
  readonly master?: string
  readonly timeoutMs?: number
  /** Of the driver. @default this host */
  readonly place?: Place
}

export class Spark {
  readonly version: string
  readonly #home: string
  readonly #env: Readonly<Record<string, string>>
  readonly #folder = scratchFolder('spark')
  #jobs = 0

  private constructor(version: string, home: string, env: Readonly<Record<string, string>>) {
    this.version = version
    this.#home = home
    this.#env = { ...env, SPARK_LOCAL_DIRS: join(this.#folder.path, 'local') }
  }

  /** @throws ServerMissing with the reason */
  static async install(release: SparkRelease): Promise<Spark> {
    await javaAndMaven()
    const { version, scala } = RELEASES[release]
    const python = await pythonWith('spark', [`pyspark==${version}`])
    return new Spark(version, join(python.packages, 'pyspark'), {
      ...python.env,
      PYSPARK_PYTHON: python.program,
      SPARK_HOME: join(python.packages, 'pyspark'),
      // A Spark of PyPI does not know its own.
      SPARK_SCALA_VERSION: scala,
      SPARK_LOCAL_IP: '127.0.0.1',
      ...UTF8,
      SPARK_DAEMON_MEMORY: DAEMON_MEMORY,
      SPARK_NO_DAEMONIZE: '1',
    })
  }

  /** Folder of the jars of `s3a://`, without the SDK's bundle of 500 MB. */
  static s3aJars(release: SparkRelease): Promise<string> {
    const { hadoop } = RELEASES[release]
    const aws = (artifacts: readonly string[], version: string) =>
      artifacts.map((artifact) => `${artifact}:${version}`)
    return mavenJars({
      name: `hadoop-aws-${hadoop}`,
      jars: [
        `org.apache.hadoop:hadoop-aws:${hadoop}`,
        ...(release === '4.0'
          ? aws(
              ['s3', 's3-transfer-manager', 'sts', 'apache-client', 'netty-nio-client'].map(
                (name) => `software.amazon.awssdk:${name}`,
              ),
              '2.25.70',
            )
          : aws(
              ['s3', 'sts', 'dynamodb', 'kms'].map((name) => `com.amazonaws:aws-java-sdk-${name}`),
              '1.12.262',
            )),
      ],
      without: ['software.amazon.awssdk:bundle', 'com.amazonaws:aws-java-sdk-bundle'],
    })
  }

  /** Runs a PySpark program to its end; returns what it printed. */
  async submit({
    program,
    args,
    settings,
    master = 'local[2]',
    timeoutMs = 300_000,
    place = HERE,
  }: SparkJob): Promise<string> {
    const file = join(this.#folder.path, `job-${this.#jobs++}.conf`)
    writeFileSync(file, settings)
    return complete({
      ...place.command(join(this.#home, 'bin', 'spark-submit'), [
        ...['--master', master, '--properties-file', file, program, ...args],
      ]),
      env: this.#envOn(place),
      timeoutMs,
    })
  }

  #envOn({ address }: Place): Readonly<Record<string, string>> {
    return { ...this.#env, SPARK_LOCAL_IP: address }
  }

  /** A master and workers, each with its cores. */
  async standalone({
    home = HERE,
    workers = [HERE],
    cores = 2,
  }: StandaloneOptions = {}): Promise<StandaloneSpark> {
    const [port, masterWeb, ...workerWebs] = await Promise.all(
      Array.from({ length: 2 + workers.length }, freePort),
    )
    const url = `spark://${home.name}:${port}`
    const start = (
      role: 'Master' | 'Worker',
      place: Place,
      args: readonly (string | number)[],
      ready: () => Promise<boolean>,
    ) =>
      new ServerProcess(
        {
          ...place.command(join(this.#home, 'bin', 'spark-class'), [
            ...[`org.apache.spark.deploy.${role.toLowerCase()}.${role}`, '--host', place.name],
            ...args.map(String),
          ]),
          env: this.#envOn(place),
          startMs: 120_000,
        },
        ready,
      )
    const state = async () =>
      (await (await fetch(`http://${home.address}:${masterWeb}/json/`)).json()) as { aliveworkers: number }
    const worker = (place: Place, i: number) => {
      const work = join(this.#folder.path, `work-${i}`)
      mkdirSync(work, { recursive: true })
      const share = ['--cores', cores, '--memory', '1g', '--work-dir', work]
      return start('Worker', place, ['--webui-port', workerWebs[i]!, ...share, url], async () => {
        return (await state()).aliveworkers === workers.length
      })
    }
    const master = start('Master', home, ['--port', port!, '--webui-port', masterWeb!], async () => {
      return (await state()) !== undefined
    })
    const ofWorkers = workers.map(worker)
    const processes = [master, ...ofWorkers]
    try {
      await master.start()
      await Promise.all(ofWorkers.map((each) => each.start()))
    } catch (error) {
      await Promise.all(processes.map((process) => process.kill()))
      throw error
    }
    return {
      url,
      async [Symbol.asyncDispose]() {
        await Promise.all(ofWorkers.map((each) => each.stop()))
        await master.stop()
      },
    }
  }

  remove(): void {
    this.#folder.remove()
  }
}

export interface StandaloneOptions {
  /** Of the master. @default this host */
  readonly home?: Place
  /** One each. @default one on this host */
  readonly workers?: readonly Place[]
  /** Of a worker. @default 2 */
  readonly cores?: number
}

export interface StandaloneSpark extends AsyncDisposable {
  /** For `--master`. */
  readonly url: string
}
