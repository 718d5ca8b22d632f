/** What every command shares: configuration, one connection, output and the paths it works on. */
import * as Args from '@oclif/core/args'
import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'
import type { FileSystem } from '../client/index.ts'
import { Config } from '../core/config/index.ts'
import { isAlluxioError } from '../core/index.ts'
import '../core/options/index.ts'
import { joinFailures } from './failure.ts'
import type { Output, Shape } from './output.ts'

export { Args, Flags }

/** What the dispatcher took off the command line before the command saw it. */
export interface Invocation {
  readonly output: Output
  /** `-D` values. */
  readonly properties: readonly string[]
  /** Writes talk (progress, warnings, questions) to standard error. */
  readonly talk: (text: string) => void
  /** Aborts on SIGINT and SIGTERM; the exit status is then 130. */
  readonly signal: AbortSignal
  /** Folder of the installation. */
  readonly home: string
}

/** One or more namespace paths, with wildcards. */
export const PATHS = {
  path: Args.string({
    description: 'path in the namespace; * matches any part of a name (quote it), \\* a star',
    required: true,
    multiple: true,
    ignoreStdin: true,
  }),
}
/** One namespace path, with wildcards. */
export const PATH = {
  path: Args.string({
    description: 'path in the namespace; * matches any part of a name (quote it), \\* a star',
    required: true,
    ignoreStdin: true,
  }),
}
/** A path without wildcards. */
export const EXACT_PATH = {
  path: Args.string({ description: 'path in the namespace', required: true, ignoreStdin: true }),
}

export abstract class AlluxioCommand extends Command {
  static override enableJsonFlag = false
  /** Declared for help and completion: the dispatcher takes them off before the command parses. */
  static override baseFlags = {
    define: Flags.string({
      char: 'D',
      helpGroup: 'GLOBAL',
      helpValue: '<key=value>',
      summary: 'set a configuration key for this command; may be repeated',
    }),
    json: Flags.boolean({
      helpGroup: 'GLOBAL',
      summary: 'print one JSON document; errors too, on standard error',
    }),
    'json-lines': Flags.boolean({ helpGroup: 'GLOBAL', summary: 'print JSON, one item a line' }),
    help: Flags.boolean({ helpGroup: 'GLOBAL', summary: 'explain the command' }),
  }
  /** The JSON form: a list of items or one object. */
  static shape: Shape = 'object'
  /** Options that upstream writes with one dash, such as `-live`. */
  static singleDash: readonly string[] = []
  /** Usage line of the reference docs and of messages about wrong arguments. */
  static override usage: string
  invocation!: Invocation
  #config: Config | undefined

  get output(): Output {
    return this.invocation.output
  }

  get configuration(): Config {
    this.#config ??= Config.load({ properties: this.invocation.properties })
    return this.#config
  }

  /** Runs `use` over one connection, which is closed before the command ends. */
  async withFileSystem(use: (fs: FileSystem) => Promise<void>): Promise<void> {
    const { connect } = await import('./cluster.ts')
    const fs = await connect(this.invocation.properties)
    try {
      await use(fs)
    } finally {
      await fs.close()
    }
  }

  /** Waits for what the master goes on with when nobody waits any more, and says so when the command is interrupted. */
  protected untilInterrupted<T>(what: string, work: Promise<T>): Promise<T> {
    const { signal, talk } = this.invocation
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        talk(
          `Interrupted: if the master has begun to ${what}, it goes on with it. "alluxio fsadmin report changes" shows it until it is done.\n`,
        )
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    })
  }

  /**
   * Runs `use` for each path that the patterns name. A path that fails does not keep the others from their turn, unless
   * it was the cluster that failed.
   * @throws the failures, joined
   */
  async forEachPath(
    patterns: readonly string[],
    use: (fs: FileSystem, path: string) => Promise<void>,
  ): Promise<void> {
    const { expandPaths } = await import('./wildcard.ts')
    await this.withFileSystem(async (fs) => {
      const failures: unknown[] = []
      for (const pattern of patterns) {
        try {
          for (const path of await expandPaths(fs, pattern)) {
            try {
              await use(fs, path)
            } catch (error) {
              if (endsAll(error)) throw error
              failures.push(error)
            }
          }
        } catch (error) {
          if (endsAll(error)) throw error
          failures.push(error)
        }
      }
      if (failures.length > 0) throw joinFailures(failures)
    })
  }
}

function endsAll(error: unknown): boolean {
  return isAlluxioError(error, 'CANCELLED') || isAlluxioError(error, 'UNAVAILABLE')
}
