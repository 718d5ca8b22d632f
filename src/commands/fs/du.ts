import type { FileStatus, FileSystem } from '../../client/index.ts'
import { AlluxioCommand, Flags, PATHS } from '../command.ts'
import { percent, sizeText } from '../format.ts'

interface Usage {
  readonly path: string
  readonly bytes: number
  readonly cachedBytes: number
  readonly inMemoryBytes: number
  readonly workers?: Readonly<Record<string, number>>
}

export class Du extends AlluxioCommand {
  static override summary = 'Show the size of files and how much of them is in Alluxio.'
  static override usage = 'fs du [-h|-s|-g|-m] <path> ...'
  static override shape = 'list' as const
  static override args = PATHS
  static override flags = {
    human: Flags.boolean({ char: 'h', summary: 'sizes such as 1.50KB' }),
    summary: Flags.boolean({ char: 's', summary: 'one line for each path: the sum of what is below' }),
    memory: Flags.boolean({ char: 'm', summary: 'also the size in memory' }),
    group: Flags.boolean({ char: 'g', summary: 'also the size on each worker' }),
  }
  #human = false
  #memory = false
  #group = false

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Du)
    this.#human = flags.human
    this.#memory = flags.memory
    this.#group = flags.group
    let headed = false
    const head = (): void => {
      if (headed) return
      headed = true
      this.output.line(this.#row('File Size', 'In Alluxio', 'In Memory', 'Worker Host Name', 'Path'))
    }
    await this.forEachPath(args.path, async (fs, path) => {
      if (flags.summary && !flags.group) {
        const { bytes, cachedBytes, inMemoryBytes } = await fs.contentSummary(path)
        head()
        this.#print({ path, bytes, cachedBytes, inMemoryBytes })
        return
      }
      const status = await fs.getStatus(path)
      head()
      if (!flags.summary) {
        for await (const usage of this.#files(fs, status)) this.#print(usage)
        return
      }
      let sum: Usage = { path, bytes: 0, cachedBytes: 0, inMemoryBytes: 0, workers: {} }
      for await (const usage of this.#files(fs, status)) sum = added(sum, usage)
      this.#print(sum)
    })
  }

  async *#files(fs: FileSystem, status: FileStatus): AsyncGenerator<Usage> {
    if (!status.folder) return yield await this.#usage(fs, status)
    for await (const child of fs.list(status.path, { recursive: true })) {
      if (!child.folder) yield await this.#usage(fs, child)
    }
  }

  async #usage(fs: FileSystem, { path, length, cachedBytes, inMemoryBytes }: FileStatus): Promise<Usage> {
    const usage = { path, bytes: length, cachedBytes, inMemoryBytes }
    if (!this.#group) return usage
    const workers: Record<string, number> = {}
    for (const block of await fs.blockPlaces(path)) {
      for (const { host } of block.locations) workers[host] = (workers[host] ?? 0) + block.length
    }
    return { ...usage, workers }
  }

  #print(usage: Usage): void {
    this.output.emit(
      () => usage,
      () => {
        const part = (bytes: number): string =>
          `${sizeText(bytes, this.#human)} (${percent(bytes, usage.bytes)}%)`
        const size = sizeText(usage.bytes, this.#human)
        const lines = [
          this.#row(size, part(usage.cachedBytes), part(usage.inMemoryBytes), 'total', usage.path),
        ]
        for (const [host, bytes] of Object.entries(usage.workers ?? {})) {
          lines.push(this.#row('', part(bytes), '', host, ''))
        }
        return lines.join('\n')
      },
    )
  }

  #row(size: string, inAlluxio: string, inMemory: string, worker: string, path: string): string {
    return [
      size.padEnd(13),
      inAlluxio.padEnd(16),
      ...(this.#memory ? [inMemory.padEnd(16)] : []),
      ...(this.#group ? [worker.padEnd(25)] : []),
      path,
    ].join(' ')
  }
}

function added(sum: Usage, usage: Usage): Usage {
  const workers: Record<string, number> = { ...sum.workers }
  for (const [host, bytes] of Object.entries(usage.workers ?? {}))
    workers[host] = (workers[host] ?? 0) + bytes
  return {
    path: sum.path,
    bytes: sum.bytes + usage.bytes,
    cachedBytes: sum.cachedBytes + usage.cachedBytes,
    inMemoryBytes: sum.inMemoryBytes + usage.inMemoryBytes,
    workers,
  }
}
