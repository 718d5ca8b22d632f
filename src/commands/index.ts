/**
 * The command line. Owns words: names, options, output forms and exit statuses (upstream 2.9's where they exist). Never
 * decides anything about the file system: a command parses, calls the client or `daemon/launch`, and prints.
 *
 * `registry.ts` lists the commands, `command.ts` is what they share, `output.ts` and `failure.ts` the two streams. A
 * command is an oclif class, run without oclif's plugin loader: that alone would cost more than a listing.
 */
import { writeSync } from 'node:fs'
import { environment } from '../core/config/index.ts'
import { AlluxioError } from '../core/index.ts'
import type { AlluxioCommand } from './command.ts'
import { reportFailure } from './failure.ts'
import { type JsonMode, Output } from './output.ts'
import { COMMANDS, DEPRECATED, findCommand } from './registry.ts'

interface Words {
  /** Everything that is left for the command, its name included. */
  readonly rest: readonly string[]
  readonly properties: readonly string[]
  readonly json: JsonMode
  readonly help: boolean
}

const talk = (text: string): void => {
  try {
    writeSync(2, text)
  } catch {
    // Nobody reads standard error.
  }
}

/** Runs one command line and returns the exit status. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const { rest, properties, json, help } = splitWords(argv)
  try {
    if (help || rest[0] === 'help' || rest.length === 0) return await showHelp(rest, help)
    // Upstream's `fs help ls`.
    if (rest[1] === 'help' && findCommand([rest[0]!]) !== undefined)
      return await showHelp(['help', rest[0]!, ...rest.slice(2)], true)
    const { id, argv: args } = await resolve(rest)
    const load = Object.hasOwn(COMMANDS, id) ? COMMANDS[id] : undefined
    if (load === undefined) return await showHelp(rest, false)
    const command = await load()
    if (
      args.some((word) => word === '-h') &&
      !Object.values(command.flags ?? {}).some(({ char }) => char === 'h')
    ) {
      return await showHelp(rest, true)
    }
    return await run(command, id, args, properties, json)
  } catch (error) {
    return reportFailure(error, json, talk)
  }
}

async function run(
  command: typeof AlluxioCommand,
  id: string,
  args: readonly string[],
  properties: readonly string[],
  json: JsonMode,
): Promise<number> {
  const output = new Output({ fd: 1, json, shape: command.shape })
  const abort = new AbortController()
  const interrupt = (): void => {
    if (abort.signal.aborted) return
    process.exitCode = 130
    abort.abort(new AlluxioError('CANCELLED', 'interrupted', { reason: 'INTERRUPTED' }))
  }
  try {
    command.id = id
    const instance = new (command as unknown as new (argv: string[], config: unknown) => AlluxioCommand)(
      singleDash(args, command.singleDash),
      OCLIF,
    )
    instance.invocation = {
      output,
      properties,
      talk,
      get signal() {
        listen(interrupt)
        return abort.signal
      },
      home: environment().ALLUXIO_HOME ?? process.cwd(),
    }
    await instance.run()
    output.end()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    try {
      output.flush()
    } catch {
      // The reader is gone; the failure below still counts.
    }
    if (abort.signal.aborted) return 130
    return reportFailure(withUsage(error, command, id), json, talk)
  }
}

let listening = false
/** Until a command asks for the signal, SIGINT ends the process at once, as the system does it. */
function listen(interrupt: () => void): void {
  if (listening) return
  listening = true
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
}

/** The options that every command has, wherever they stand before `--`. */
export function splitWords(argv: readonly string[]): Words {
  const rest: string[] = []
  const properties: string[] = []
  let json: JsonMode = 'off'
  let help = false
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      rest.push(...argv.slice(i))
      break
    }
    if (word === '-D') properties.push(argv[++i] ?? '')
    else if (word.startsWith('-D')) properties.push(word.slice(2))
    else if (word === '--json') json = json === 'off' ? 'document' : json
    else if (word === '--json-lines') json = 'lines'
    else if (word === '--help' || (word === '-h' && rest.length === 0)) help = true
    else rest.push(word)
  }
  return { rest, properties, json, help }
}

async function resolve(words: readonly string[]): Promise<{ id: string; argv: readonly string[] }> {
  const found = findCommand(words)
  if (found !== undefined) return found
  const deprecated = DEPRECATED[words.slice(0, 2).join(' ')]
  if (deprecated !== undefined) {
    const [old, instead] = [words[1]!, deprecated.slice(1).join(' ')]
    talk(`WARNING: ${old} is deprecated. Please use ${instead} instead.\n`)
    return findCommand([...deprecated, ...words.slice(2)])!
  }
  const { unknownCommand } = await import('./nearest.ts')
  throw unknownCommand(words)
}

async function showHelp(words: readonly string[], asked: boolean): Promise<number> {
  const { help } = await import('./help.ts')
  const topic = words[0] === 'help' ? words.slice(1) : words
  asked ||= words[0] === 'help'
  const text = await help(topic, environment().ALLUXIO_HOME ?? process.cwd())
  // Asked for, help is the result; else a command is missing, and that is a fault.
  if (!asked) {
    talk(text)
    return 64
  }
  const output = new Output({ fd: 1, json: 'off', shape: 'object' })
  output.line(text.trimEnd())
  output.end()
  return 0
}

/** `-live` as `--live`: upstream's options of one dash and several letters. */
function singleDash(args: readonly string[], names: readonly string[]): string[] {
  return args.map((word) => (names.includes(word.slice(1)) ? `-${word}` : word))
}

function withUsage(error: unknown, command: typeof AlluxioCommand, id: string): unknown {
  if (typeof error !== 'object' || error === null || !('oclif' in error)) return error
  const message = (error as unknown as Error).message.replace(/\n?See more help with --help/, '').trim()
  const words = id.replaceAll(':', ' ')
  return new AlluxioError('INVALID_ARGUMENT', message, {
    reason: 'USAGE',
    details: { suggestions: [`Usage: alluxio ${command.usage ?? words}`, `Help: alluxio ${words} --help`] },
  })
}

/** The little of oclif's configuration that a command touches while it parses. */
const OCLIF = {
  bin: 'alluxio',
  userAgent: 'alluxio',
  topicSeparator: ' ',
  runHook: async () => ({ successes: [], failures: [] }),
  scopedEnvVar: () => undefined,
  scopedEnvVarKey: () => '',
  scopedEnvVarKeys: () => [],
}
