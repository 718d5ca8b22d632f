/** A JVM with the client of plugins/jvm-client that does what a test says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { complete, scratchFolder } from '../../support/servers/process.ts'
import { hadoopJar } from '../gateways.ts'

export interface Tally {
  readonly localBytes: number
  readonly remoteBytes: number
  readonly dataRequests: number
  readonly failedSources: number
}

let compiled: Promise<string> | undefined

/** The jar, and the probe compiled against it. */
function classPath(): Promise<string> {
  compiled ??= (async () => {
    const jar = await hadoopJar()
    const folder = scratchFolder('jvm').path
    const source = new URL('Probe.java', import.meta.url).pathname
    await complete({ binary: 'javac', args: ['--release', '11', '-cp', jar, '-d', folder, source] })
    return `${jar}:${folder}`
  })()
  return compiled
}

export class Jvm {
  readonly #child: ChildProcess
  readonly #answers: ((line: string) => void)[] = []
  #said = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk).slice(-4000)
    })
    createInterface({ input: child.stdout! }).on('line', (line) => this.#answers.shift()?.(line))
    child.once('exit', () => {
      for (const answer of this.#answers.splice(0)) answer(`failed\tthe JVM ended: ${this.#said}`)
    })
  }

  /** @param mode words of `remote` (no short circuit) and `verify` */
  static async start(proxy: string, { user = 'root', mode = '-' } = {}): Promise<Jvm> {
    const args = ['-Xmx256m', '-cp', await classPath(), 'Probe', proxy, user, mode]
    return new Jvm(spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'] }))
  }

  /** What it answers. @throws what it failed with */
  async ask(...words: (string | number)[]): Promise<string> {
    const answered = new Promise<string>((resolve) => this.#answers.push(resolve))
    this.#child.stdin!.write(`${words.join('\t')}\n`)
    const [outcome, text = ''] = (await answered).split('\t')
    if (outcome !== 'ok') throw new Error(text)
    return text
  }

  async tally(): Promise<Tally> {
    return JSON.parse(await this.ask('tally')) as Tally
  }

  async stop(): Promise<void> {
    const gone = new Promise((exited) => this.#child.once('exit', exited))
    this.#child.stdin!.end()
    if (this.#child.exitCode === null) await gone
  }
}
