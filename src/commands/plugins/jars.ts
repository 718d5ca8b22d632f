/** The jars for JVMs of others: their sources below `plugins/`, what was built of them in `plugins/dist/`, and Maven, which builds them. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import {
  AlluxioError,
  fromErrno,
  isAlluxioError,
  type Runtime,
  sleep,
  toAlluxioError,
} from '../../core/index.ts'

/** What the others are built on; it goes into their jars. */
const LIBRARY = 'jvm-client'
const LOCK_POLL_MS = 100
/** What Maven says at its end is what explains a failure. */
const TOLD_CHARS = 4_000

export interface Jar {
  /** Also its folder below `plugins/`. */
  readonly name: string
  readonly path: string
  /** `stale`: the sources changed since. */
  readonly state: 'built' | 'stale' | 'not built'
  readonly bytes: number
}

export interface JarsModules {
  readonly runtime: Runtime
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly talk: (text: string) => void
}

export class Jars {
  readonly #sources: string
  readonly #dist: string
  readonly #modules: JarsModules

  /** @param home folder of the installation */
  constructor(home: string, modules: JarsModules) {
    this.#sources = join(home, 'plugins')
    this.#dist = join(this.#sources, 'dist')
    this.#modules = modules
  }

  /** @throws NOT_FOUND when the installation has no sources of plugins */
  names(): string[] {
    const pom = join(this.#sources, 'pom.xml')
    if (!existsSync(pom)) {
      throw new AlluxioError('NOT_FOUND', `${pom} does not exist: this installation came without plugins`)
    }
    const found = readFileSync(pom, 'utf8').matchAll(/<module>([a-z0-9-]+)<\/module>/g)
    return [...found].map(([, name]) => name!).filter((name) => name !== LIBRARY)
  }

  list(): Jar[] {
    return this.names().map((name) => this.#jar(name))
  }

  #jar(name: string): Jar {
    const path = join(this.#dist, `alluxio-${name}.jar`)
    if (!existsSync(path)) return { name, path, state: 'not built', bytes: 0 }
    const stamp = this.#stamp(name)
    const isCurrent = existsSync(stamp) && readFileSync(stamp, 'utf8') === this.#sum(name)
    return { name, path, state: isCurrent ? 'built' : 'stale', bytes: statSync(path).size }
  }

  /**
   * Builds those whose sources changed; the names of these.
   * @throws INVALID_ARGUMENT for a name that is none, or with Maven's words when it fails; UNAVAILABLE without a JDK or Maven
   */
  async build(names: readonly string[], signal: AbortSignal): Promise<string[]> {
    const known = this.names()
    for (const name of names) {
      if (known.includes(name)) continue
      throw new AlluxioError('INVALID_ARGUMENT', `there is no plugin ${name}: there are ${known.join(', ')}`)
    }
    const wanted = () =>
      (names.length === 0 ? known : names).filter((name) => this.#jar(name).state !== 'built')
    if (wanted().length === 0) return []
    return this.#locked(signal, async () => {
      const left = wanted()
      if (left.length === 0) return []
      const sums = left.map((name) => this.#sum(name))
      await this.#maven(left, signal)
      for (const [i, name] of left.entries()) this.#put(name, sums[i]!)
      return left
    })
  }

  #put(name: string, sum: string): void {
    const jar = `alluxio-${name}.jar`
    const draft = join(this.#dist, `.${jar}`)
    copyFileSync(join(this.#sources, name, 'target', jar), draft)
    renameSync(draft, join(this.#dist, jar))
    writeFileSync(this.#stamp(name), sum)
  }

  #stamp(name: string): string {
    return join(this.#dist, `.${name}.stamp`)
  }

  #sum(name: string): string {
    const hash = createHash('sha256')
    hash.update(readFileSync(join(this.#sources, 'pom.xml')))
    for (const folder of this.#foldersOf(name)) {
      hash.update(readFileSync(join(this.#sources, folder, 'pom.xml')))
      for (const file of filesBelow(join(this.#sources, folder, 'src', 'main'))) {
        hash.update(file).update(readFileSync(file))
      }
    }
    return hash.digest('hex')
  }

  /** Its own, and those of what it is built on. */
  #foldersOf(name: string): string[] {
    const pom = readFileSync(join(this.#sources, name, 'pom.xml'), 'utf8')
    const used = [...pom.matchAll(/<artifactId>alluxio-([a-z0-9-]+)<\/artifactId>/g)].map(
      ([, other]) => other!,
    )
    return [LIBRARY, ...this.names().filter((other) => other === name || used.includes(other))]
  }

  /** One build at a time: who starts meanwhile waits, and mostly finds it done. */
  async #locked<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    const lock = join(this.#dist, '.lock')
    const { runtime } = this.#modules
    try {
      mkdirSync(this.#dist, { recursive: true })
      while (!take(lock)) await sleep(runtime, LOCK_POLL_MS, signal)
    } catch (error) {
      throw isAlluxioError(error) ? error : fromErrno(error, 'write', this.#dist)
    }
    try {
      return await run()
    } finally {
      rmSync(lock, { force: true })
    }
  }

  #maven(names: readonly string[], signal: AbortSignal): Promise<void> {
    const { environment, talk } = this.#modules
    const { JAVA_HOME, MAVEN_HOME } = environment
    const javac = JAVA_HOME === undefined ? undefined : join(JAVA_HOME, 'bin', 'javac')
    if (javac !== undefined && !existsSync(javac)) {
      throw missing(
        `JAVA_HOME is ${JAVA_HOME}, which has no bin/javac`,
        'Set JAVA_HOME to a JDK of version 11 or later',
      )
    }
    const program = MAVEN_HOME === undefined ? 'mvn' : join(MAVEN_HOME, 'bin', 'mvn')
    const args = [
      '-q',
      '-B',
      '-f',
      join(this.#sources, 'pom.xml'),
      '-pl',
      names.join(),
      '-am',
      '-DskipTests',
      'package',
    ]
    talk(`building ${names.join(', ')} with Maven ...\n`)
    return new Promise((resolve, reject) => {
      let told = ''
      const maven = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal })
      const listen = (chunk: Buffer) => {
        told = (told + chunk).slice(-TOLD_CHARS)
      }
      maven.stdout.on('data', listen)
      maven.stderr.on('data', listen)
      maven.once('error', (error: NodeJS.ErrnoException) => {
        if (signal.aborted) reject(new AlluxioError('CANCELLED', 'the build was interrupted'))
        else if (error.code === 'ENOENT')
          reject(missing(`${program} is not there`, 'Install Maven 3.6 or later, or set MAVEN_HOME'))
        else reject(toAlluxioError(error, 'start Maven'))
      })
      maven.once('close', (status) => {
        if (status === 0) resolve()
        else reject(failed(told))
      })
    })
  }
}

function failed(told: string): AlluxioError {
  if (
    /JAVA_HOME|No compiler is provided|invalid target release|release version 11 not supported/i.test(told)
  ) {
    return missing(
      `Maven found no JDK: ${told.trim()}`,
      'Install a JDK of version 11 or later, or set JAVA_HOME to one',
    )
  }
  return new AlluxioError('INVALID_ARGUMENT', `Maven could not build the plugins:\n${told.trim()}`)
}

function missing(message: string, remedy: string): AlluxioError {
  return new AlluxioError('UNAVAILABLE', message, {
    reason: 'TOOL_MISSING',
    details: { suggestions: [remedy] },
  })
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** False while another process that lives holds it. */
function take(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = existsSync(lock) ? Number(readFileSync(lock, 'utf8').trim()) : 0
  if (holder > 0 && !isAlive(holder)) rmSync(lock, { force: true })
  return false
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
