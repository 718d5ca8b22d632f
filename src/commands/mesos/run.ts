import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { FileSystem } from '../../client/index.ts'
import {
  AlluxioError,
  canonicalPath,
  isAlluxioError,
  JsonLog,
  parseBytes,
  parseDuration,
  Secret,
  systemRuntime,
} from '../../core/index.ts'
import { LOG_LEVEL } from '../../core/options/index.ts'
import type { InputTask, SavedRun } from '../../orchestrators/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'
import { usageError } from '../failure.ts'

/** Longest that hints are waited for; the first answer may find the master away and is given up as other commands do. */
const HINTS_MS = 6_000
const FAILOVER_MS = 60_000
/** With a file to go on from, somebody has to come and do so. */
const SAVED_FAILOVER_MS = 3_600_000
const MIB = 2 ** 20

export class MesosRun extends AlluxioCommand {
  static override summary = 'Run a command on Mesos, once for each input, near the input.'
  static override description =
    'A framework of its own until all tasks are over. {} in the command stands for the input, and so does the variable ALLUXIO_INPUT. Offers of the hosts that hold data are asked for, wider while time passes; without hints it goes on and says why. Ends with 1 if a task failed.'
  static override usage =
    'mesos run --master <url> --inputs <path,...> [--cpus 1] [--mem 128MB] [--delay 10s] -- <command> [<arg> ...]'
  static override examples = [
    'alluxio mesos run --master http://mesos:5050 --inputs "/logs/*" -- /opt/count-errors {}',
  ]
  static override args = {
    command: Args.string({
      description: 'program that is on the agents, and its arguments',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    master: Flags.string({
      helpValue: '<url,...>',
      summary: 'Mesos masters, any or all of them',
      required: true,
    }),
    inputs: Flags.string({
      helpValue: '<path,...>',
      summary: 'files or directories; wildcards as in fs',
      required: true,
      multiple: true,
    }),
    cpus: Flags.string({ helpValue: '<number>', summary: 'of one task', default: '1' }),
    mem: Flags.string({ helpValue: '<bytes>', summary: 'of one task', default: '128MB' }),
    delay: Flags.string({
      helpValue: '<duration>',
      summary: 'longest that an input waits for a better host',
      default: '10s',
    }),
    role: Flags.string({ helpValue: '<role>', summary: 'whose resources are used', default: '*' }),
    name: Flags.string({ helpValue: '<name>', summary: 'of the framework', default: 'alluxio' }),
    principal: Flags.string({ helpValue: '<name>', summary: 'who the framework is to Mesos' }),
    'secret-file': Flags.string({ helpValue: '<file>', summary: "with the principal's secret" }),
    state: Flags.string({
      helpValue: '<file>',
      summary: 'keeps how far the run is: with the same file it goes on where another process ended',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MesosRun)
    const { checkedMaster, HintSource, MesosFramework } = await import('../../orchestrators/index.ts')
    const file = flags.state
    const saved = file === undefined ? undefined : savedRun(file)
    const options = {
      masters: listed([flags.master]).map(checkedMaster),
      authorization: authorization(flags.principal, flags['secret-file']),
      principal: flags.principal,
      user: userInfo().username,
      role: flags.role,
      name: flags.name,
      command: args.command,
      cpus: positive('--cpus', Number(flags.cpus)),
      memoryMb: positive('--mem', parsed('--mem', flags.mem, parseBytes) / MIB),
      delayMs: parsed('--delay', flags.delay, parseDuration),
      failoverMs: file === undefined ? FAILOVER_MS : SAVED_FAILOVER_MS,
      saved,
    }
    const inputs = listed(flags.inputs)
    if (inputs.length === 0) throw usageError('--inputs names no path')
    await this.withFileSystem(async (fs) => {
      const hints = new HintSource({ timeoutMs: HINTS_MS }, { hints: fs.hints, runtime: systemRuntime })
      const framework = new MesosFramework(
        { ...options, inputs: await pathsOf(fs, inputs) },
        {
          hints,
          runtime: systemRuntime,
          log: this.#log(),
          save: (run) => {
            if (file !== undefined) write(file, run)
          },
        },
      )
      const { frameworkId, tasks, missing } = await framework.run(this.invocation.signal)
      const isLocal = ({ placement }: InputTask) => placement === 'LOCAL' || placement === 'COLD'
      const local = tasks.filter(isLocal).length
      this.output.emit(
        () => ({ frameworkId, local, ...(missing === undefined ? {} : { missing }), tasks }),
        () => textOf(tasks, local, missing),
      )
      if (tasks.some(({ state }) => state === 'FAILED')) process.exitCode = 1
    })
  }

  #log(): JsonLog {
    const level = this.configuration.isSet(LOG_LEVEL) ? this.configuration.get(LOG_LEVEL) : 'warn'
    return new JsonLog({ level }, { sink: this.invocation.talk, runtime: systemRuntime })
  }
}

function textOf(tasks: readonly InputTask[], local: number, missing: string | undefined): string {
  const lines = tasks.map(({ path, host, placement, state, waitedMs, message }) => {
    const why = state === 'FAILED' ? `  ${message}` : ''
    return `${path}  ${host}  ${placement}  ${state}  after ${waitedMs} ms${why}`
  })
  lines.push(`${local} of ${tasks.length} inputs where they are or will be cached`)
  if (missing !== undefined) lines.push(missing)
  return lines.join('\n')
}

/** A path without a wildcard needs no master, which may be away. */
async function pathsOf(fs: FileSystem, patterns: readonly string[]): Promise<string[]> {
  const { expandPaths } = await import('../wildcard.ts')
  const paths: string[] = []
  for (const pattern of patterns) paths.push(...(await expandPaths(fs, pattern)))
  return paths.map(canonicalPath)
}

function listed(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).flatMap((part) => part.trim() || [])
}

function parsed(flag: string, text: string, parse: (text: string) => number): number {
  try {
    return parse(text)
  } catch (error) {
    throw usageError(`${flag}: ${(error as Error).message}`)
  }
}

function positive(flag: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value
  throw usageError(`${flag} has to be more than 0`)
}

function authorization(principal: string | undefined, file: string | undefined): Secret | undefined {
  if (file === undefined) return undefined
  if (principal === undefined) throw usageError('--secret-file needs --principal')
  const secret = read(file).trimEnd()
  return new Secret(`Basic ${Buffer.from(`${principal}:${secret}`).toString('base64')}`)
}

function savedRun(file: string): SavedRun | undefined {
  if (!existsSync(file)) return undefined
  try {
    const run = JSON.parse(read(file)) as SavedRun
    if (typeof run.frameworkId === 'string' && Array.isArray(run.tasks)) return run
  } catch (error) {
    if (isAlluxioError(error)) throw error
  }
  throw new AlluxioError('INVALID_ARGUMENT', `${file} holds no run: remove it to begin anew`)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new AlluxioError('INVALID_ARGUMENT', `${file} cannot be read: ${(error as Error).message}`)
  }
}

function write(file: string, run: SavedRun): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(run)}\n`)
  renameSync(`${file}.new`, file)
}
