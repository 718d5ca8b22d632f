/** Apache Spark from PyPI: programs run by spark-submit, in one process or on a standalone cluster. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { javaAndMaven, mavenJars, UTF8 } from './maven.ts'
import { complete, freePort, ServerProcess, scratchFolder } from './process.ts'
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
  }: SparkJob): Promise<string> {
    const file = join(this.#folder.path, `job-${this.#jobs++}.conf`)
    writeFileSync(file, settings)
    return complete({
      binary: join(this.#home, 'bin', 'spark-submit'),
      args: ['--master', master, '--properties-file', file, program, ...args],
      env: this.#env,
      timeoutMs,
    })
  }

  /** A master and a worker with two cores. */
  async standalone(): Promise<StandaloneSpark> {
    const [port, masterWeb, workerWeb] = await Promise.all([freePort(), freePort(), freePort()])
    const url = `spark://127.0.0.1:${port}`
    const work = join(this.#folder.path, 'work')
    mkdirSync(work, { recursive: true })
    const start = (role: 'Master' | 'Worker', args: readonly string[], ready: () => Promise<boolean>) =>
      new ServerProcess(
        {
          binary: join(this.#home, 'bin', 'spark-class'),
          args: [`org.apache.spark.deploy.${role.toLowerCase()}.${role}`, '--host', '127.0.0.1', ...args],
          env: this.#env,
          startMs: 60_000,
        },
        ready,
      )
    const state = async () =>
      (await (await fetch(`http://127.0.0.1:${masterWeb}/json/`)).json()) as { aliveworkers: number }
    const masterPorts = ['--port', String(port), '--webui-port', String(masterWeb)]
    const workerArgs = [
      '--webui-port',
      String(workerWeb),
      '--cores',
      '2',
      '--memory',
      '1g',
      '--work-dir',
      work,
      url,
    ]
    const processes = [
      start('Master', masterPorts, async () => (await state()) !== undefined),
      start('Worker', workerArgs, async () => (await state()).aliveworkers === 1),
    ]
    try {
      for (const process of processes) await process.start()
    } catch (error) {
      await Promise.all(processes.map((process) => process.kill()))
      throw error
    }
    return {
      url,
      async [Symbol.asyncDispose]() {
        for (const process of processes.reverse()) await process.stop()
      },
    }
  }

  remove(): void {
    this.#folder.remove()
  }
}

export interface StandaloneSpark extends AsyncDisposable {
  /** For `--master`. */
  readonly url: string
}
