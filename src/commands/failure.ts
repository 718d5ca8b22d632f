/** Turns what a command threw into words on standard error and an exit status of the error table. */
import { AlluxioError, ERROR_CODES, errorCode, isAlluxioError, toAlluxioError } from '../core/index.ts'
import type { JsonMode } from './output.ts'

/** Wrong words on the command line, with what to write instead. */
export function usageError(message: string, suggestions: readonly string[] = []): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'USAGE', details: { suggestions } })
}

/** Failures of several paths of one command: the first one's code, all of their messages. */
export function joinFailures(failures: readonly unknown[]): AlluxioError {
  const errors = failures.map((failure) => toAlluxioError(failure))
  const [first] = errors
  if (first !== undefined && errors.length === 1) return first
  return new AlluxioError(errorCode(first), errors.map((error) => error.message).join('\n'), {
    ...(first?.reason === undefined ? {} : { reason: first.reason }),
    details: { errors: errors.map((error) => error.toJSON()) },
  })
}

/** Prints the failure and returns the exit status. */
export function reportFailure(thrown: unknown, json: JsonMode, print: (text: string) => void): number {
  const error = translate(thrown)
  if (error.reason === 'BROKEN_PIPE') return 0
  const { exit, retry } = ERROR_CODES[error.code]
  const suggestions = suggestionsFor(error)
  if (json === 'off') {
    print(`${error.message}\n`)
    for (const suggestion of suggestions) print(`  ${suggestion}\n`)
    if (error.code === 'INTERNAL' && error.cause instanceof Error) print(`${error.cause.stack}\n`)
  } else {
    const { details, ...rest } = error.toJSON()
    const { suggestions: _shown, ...facts } = details ?? {}
    const body = {
      ...rest,
      ...(Object.keys(facts).length === 0 ? {} : { details: facts }),
      suggestions,
      retryable: retry !== 'never',
    }
    print(
      `${JSON.stringify({ error: body }, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}\n`,
    )
  }
  return exit
}

function translate(thrown: unknown): AlluxioError {
  if (isAlluxioError(thrown)) return thrown
  // oclif's parser throws CLIErrors: always a fault of the words that were given.
  if (typeof thrown === 'object' && thrown !== null && 'oclif' in thrown) {
    const message = (thrown as unknown as Error).message.replace(/\n?See more help with --help/, '').trim()
    return usageError(message)
  }
  return toAlluxioError(thrown)
}

function suggestionsFor(error: AlluxioError): readonly string[] {
  const given = error.details.suggestions
  if (Array.isArray(given)) return given.map(String)
  if (error.code === 'UNAVAILABLE') {
    return ['See what runs: alluxio status', 'Start a cluster on this machine: alluxio start local']
  }
  if (error.code === 'INTERNAL')
    return ['This is a bug: report it with this text and the logs of the daemons.']
  return []
}
