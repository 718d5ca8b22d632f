/** What every section works with: both clusters, alternation, and CPU counted round each piece of work. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from './cluster.ts'
import type { Driver, Reply, Values } from './driver.ts'
import { Meter } from './machine.ts'
import type { Report, Unit } from './report.ts'
import type { ClusterOptions, DriverOptions, Side, SideName } from './side.ts'
import { CACHE, startUpstream } from './upstream.ts'

export interface BenchOptions {
  /** Measured rounds of each cell; one more goes before them to warm up. */
  readonly rounds: number
  /** A tenth of the work: to see that everything runs, not to quote. */
  readonly quick: boolean
  readonly sides: readonly SideName[]
  /** Largest namespace of section inodes. */
  readonly inodes: number
}

/** One side with the clients that work on it. */
export interface Contender {
  readonly side: Side
  readonly driver: Driver
}

export interface Medium {
  readonly name: 'shm' | 'huge'
  readonly folders: Readonly<Record<SideName, string>>
}

const GB = 1e9
/** Where the tiers are unless a section says otherwise. */
export const SHM = '/dev/shm'

export class Bench {
  readonly options: BenchOptions
  readonly report: Report
  /** Scratch on a disk, removed at the end. */
  readonly directory = mkdtempSync(join(tmpdir(), 'alluxio-bench-'))
  readonly #cleanups: (() => Promise<void> | void)[] = []
  #ending: Promise<void> | undefined

  constructor(options: BenchOptions, modules: { readonly report: Report }) {
    this.options = options
    this.report = modules.report
  }

  /** The full number, or a tenth in a quick run. */
  scaled(n: number): number {
    return this.options.quick ? Math.max(1, Math.round(n / 10)) : n
  }

  onEnd(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup)
  }

  /** Stops and removes everything; a second call waits for the first. */
  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse())
      await Promise.resolve()
        .then(cleanup)
        .catch((error) => process.stderr.write(`cleanup: ${error}\n`))
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Starts both clusters with their only tier in a folder of memory, by default /dev/shm. They stop when the bench ends, or by `stop`. */
  async clusters(
    folders: Medium['folders'] = { alluxio: SHM, ours: SHM },
    options: Partial<ClusterOptions> = {},
  ): Promise<{ sides: Side[]; stop(): Promise<void> }> {
    const sides: Side[] = []
    const stop = async () => {
      for (const side of sides.splice(0)) await side.stop()
    }
    this.onEnd(stop)
    for (const name of this.options.sides) {
      const start = name === 'ours' ? startCluster : startUpstream
      const tier = join(folders[name], `alluxio-bench-${process.pid}-${name}`)
      sides.push(
        await start({
          directory: this.directory,
          tier,
          tierBytes: 3 * 2 ** 30,
          masterHeap: '2500m',
          ...options,
        }),
      )
    }
    return { sides, stop }
  }

  async contenders(sides: readonly Side[], options: DriverOptions = {}): Promise<Contender[]> {
    const contenders: Contender[] = []
    for (const side of sides) {
      const driver = await side.driver(options)
      this.onEnd(() => driver.close())
      contenders.push({ side, driver })
    }
    return contenders
  }

  /** Round -1 warms up and is not kept; then A, B, A, B. */
  async rounds(work: (round: number, keep: boolean) => Promise<void>): Promise<void> {
    for (let round = -1; round < this.options.rounds; round++) await work(round + 1, round >= 0)
  }

  /** The same order to each side in turn, measured as rate and CPU an operation (or a GB). */
  async measure(
    cell: string,
    contenders: readonly Contender[],
    unit: Extract<Unit, '/s' | 'GB/s'>,
    verb: string,
    values: Values,
    keep = true,
  ): Promise<void> {
    for (const { side, driver } of contenders) {
      const meter = new Meter([...side.pids, driver.pid])
      const reply = await driver.order(verb, values)
      const { cpu, others } = meter.read()
      this.#warn(cell, side, reply)
      const amount = unit === 'GB/s' ? reply.n / GB : reply.n
      const { p50us, p99us, errors } = reply
      const latency = p50us === undefined ? {} : { p50us, p99us: p99us!, errors: errors! }
      if (keep)
        this.report.add(cell, side.name, unit, {
          value: amount / reply.secs,
          cpu: cpu / amount,
          others,
          ...latency,
        })
    }
  }

  /** An order to each side that is not measured. */
  async each(contenders: readonly Contender[], verb: string, values: Values): Promise<void> {
    for (const { side, driver } of contenders) this.#warn(verb, side, await driver.order(verb, values))
  }

  #warn(cell: string, side: Side, reply: Reply): void {
    if (reply.errors)
      this.report.note(`${side.name} ${cell}: ${reply.errors} of ${reply.n} failed: ${reply.error}`)
  }

  /**
   * Memory file systems to measure on; huge pages only where this process may mount. Each side has the kind that serves it
   * best: upstream appends to its files, and only `always` gives those huge pages; ours sizes them first, so that `within_size`
   * does, without taking 2 MiB for each small file.
   */
  media(): Medium[] {
    const media: Medium[] = [{ name: 'shm', folders: { alluxio: SHM, ours: SHM } }]
    try {
      const folders = { alluxio: this.#mount('always'), ours: this.#mount('within_size') }
      media.push({ name: 'huge', folders })
    } catch (error) {
      this.report.note(
        `no tmpfs with huge pages: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`,
      )
    }
    return media
  }

  #mount(huge: string): string {
    const folder = join(this.directory, huge)
    mkdirSync(folder)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=5g,huge=${huge}`, 'alluxio-bench', folder], {
      stdio: 'pipe',
    })
    this.onEnd(() => void execFileSync('umount', ['-l', folder]))
    return folder
  }

  /** Compiles native/NAME.c into the cache; the program's path. */
  native(name: string): string {
    const source = join(import.meta.dirname, 'native', `${name}.c`)
    const program = join(CACHE, name)
    if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
      mkdirSync(CACHE, { recursive: true })
      execFileSync('gcc', ['-O2', '-pthread', '-o', program, source], { stdio: ['ignore', 2, 2] })
    }
    return program
  }

  /** Lets asynchronous deletes of blocks finish on both sides. */
  settle(): Promise<void> {
    return sleep(this.options.quick ? 500 : 1500)
  }
}
