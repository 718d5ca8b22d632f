/** A Spark application on the hosts of a site that makes one query after the other: where its tasks ran, and what the links carried. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LinkBytes, Network } from '../support/hosts.ts'

export const PROGRAM = resolve('test/hosts/job.py')

/** What the program is asked for; see job.py. */
export type Query =
  | { readonly uri: string; readonly confs?: Readonly<Record<string, string>> }
  | { readonly again: true }

/** A task that read input. */
export interface InputTask {
  readonly host: string
  /** As Spark calls it; PROCESS_LOCAL also if it had no preference. */
  readonly locality: string
}

export interface Answer {
  readonly sums: { readonly lines: number; readonly digest: string }
  /** From the listing to the sums. */
  readonly seconds: number
  readonly tasks: readonly InputTask[]
  /** Over the links meanwhile. */
  readonly bytes: Readonly<Record<string, LinkBytes>>
}

/** What all hosts sent: each byte counts once, however many links it passes. */
export function bytesSent(bytes: Readonly<Record<string, LinkBytes>>): number {
  return Object.values(bytes).reduce((sum, { sent }) => sum + sent, 0)
}

/** How often each value occurs. */
export function counted(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** Lines of the event log that matter here. */
interface SparkEvent {
  readonly Event: string
  readonly 'Job ID'?: number
  readonly 'Stage IDs'?: readonly number[]
  readonly 'Stage ID'?: number
  readonly 'Task Info'?: { readonly Host: string; readonly Locality: string }
  readonly 'Task Metrics'?: { readonly 'Input Metrics'?: { readonly 'Bytes Read': number } }
}

export interface SessionOptions {
  /** Orders and answers. */
  readonly folder: string
  /** Where Spark writes its event log, which is nobody else's. */
  readonly log: string
  readonly network: Network
}

export class Session {
  readonly #options: SessionOptions
  readonly #program: Promise<string>
  #number = 0
  #ended: string | undefined

  /** @param program resolves when the application has ended, with what it printed */
  constructor(options: SessionOptions, program: Promise<string>) {
    this.#options = options
    this.#program = program
    program.then(
      (printed) => {
        this.#ended = printed
      },
      (error: Error) => {
        this.#ended = error.message
      },
    )
  }

  async ask(query: Query): Promise<Answer> {
    const { folder, network } = this.#options
    const told = join(folder, `${this.#number}.told`)
    const { bytes } = await network.counting(async () => {
      this.#order(query)
      await this.#until(() => existsSync(told))
    })
    const { lines, digest, seconds, jobs } = JSON.parse(readFileSync(told, 'utf8')) as {
      readonly lines: number
      readonly digest: string
      readonly seconds: number
      readonly jobs: readonly number[]
    }
    let events: readonly SparkEvent[] = []
    await this.#until(() => {
      events = this.#events()
      const over = events.filter(({ Event }) => Event === 'SparkListenerJobEnd').map((each) => each['Job ID'])
      return jobs.every((job) => over.includes(job))
    })
    const starts = events.filter(
      (event) => event.Event === 'SparkListenerJobStart' && jobs.includes(event['Job ID']!),
    )
    const stages = starts.flatMap((event) => event['Stage IDs']!)
    const tasks = events
      .filter((event) => event.Event === 'SparkListenerTaskEnd' && stages.includes(event['Stage ID']!))
      .filter((event) => (event['Task Metrics']?.['Input Metrics']?.['Bytes Read'] ?? 0) > 0)
      .map((event) => ({ host: event['Task Info']!.Host, locality: event['Task Info']!.Locality }))
    return { sums: { lines, digest }, seconds, tasks, bytes }
  }

  /** Resolves when the application is over. @throws what it failed with */
  async end(): Promise<void> {
    this.#order({ end: true })
    await this.#program
  }

  #order(order: object): void {
    const file = join(this.#options.folder, `${this.#number++}.order`)
    writeFileSync(`${file}.new`, JSON.stringify(order))
    renameSync(`${file}.new`, file)
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#ended !== undefined) throw new Error(`the application has ended: ${this.#ended.slice(-4000)}`)
      await pause(20)
    }
  }

  /** Those whose lines are whole by now. */
  #events(): SparkEvent[] {
    const { log } = this.#options
    const text = readFileSync(join(log, readdirSync(log)[0]!), 'utf8')
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as SparkEvent)
  }
}
