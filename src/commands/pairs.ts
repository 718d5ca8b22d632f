/** Options of the form key=value that may be repeated. */
import { usageError } from './failure.ts'

/** @throws INVALID_ARGUMENT naming the option */
export function parsePairs(option: string, pairs: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {}
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals <= 0) throw usageError(`${option} ${pair} is not key=value`)
    values[pair.slice(0, equals)] = pair.slice(equals + 1)
  }
  return values
}
