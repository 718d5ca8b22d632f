/** An option is declared once and gives parsing, validation, environment name, flag and reference docs. */
import { AlluxioError } from '../errors.ts'
import { parseBytes, parseDuration } from '../units.ts'

export type OptionScope = 'all' | 'master' | 'worker' | 'user' | 'proxy'

interface OptionKinds {
  string: string
  int: number
  /** Bytes; written `64MB`. */
  bytes: number
  /** Milliseconds; written `10s`. */
  duration: number
  /** A fraction or a factor. */
  float: number
  boolean: boolean
  port: number
  path: string
  list: readonly string[]
}
export type OptionType = keyof OptionKinds

export interface Option<T = unknown> {
  readonly key: string
  readonly type: OptionType | 'enum'
  readonly default: T
  readonly scope: OptionScope
  readonly doc: string
  readonly values?: readonly string[]
  /** Printed as `******` by getConf, the console and logs. */
  readonly secret?: boolean
  parse(text: string): T
}

interface Declaration<T> {
  readonly default: T
  readonly scope: OptionScope
  readonly doc: string
  readonly secret?: boolean
  readonly min?: number
  readonly max?: number
}

const registry = new Map<string, Option>()

/** All declared options, by key. Complete once `core/options` has been imported. */
export function declaredOptions(): ReadonlyMap<string, Option> {
  return registry
}

/** Declares an option. `default` may name other keys as `${alluxio.home}/conf` for paths and strings. */
export function option<K extends OptionType>(
  key: string,
  type: K,
  declaration: Declaration<OptionKinds[K] | undefined>,
): Option<OptionKinds[K]> {
  const parse = (text: string): OptionKinds[K] => {
    const value = PARSERS[type](text.trim(), key)
    if (typeof value === 'number') checkRange(key, value, declaration)
    return value as OptionKinds[K]
  }
  return register({ ...declaration, key, type, parse } as unknown as Option<OptionKinds[K]>)
}

/** Declares an option whose value is one of a closed set of words (case does not matter). */
export function enumOption<const V extends readonly string[]>(
  key: string,
  values: V,
  declaration: Declaration<V[number]>,
): Option<V[number]> {
  const parse = (text: string): V[number] => {
    const found = values.find((value) => value.toLowerCase() === text.trim().toLowerCase())
    if (found === undefined) {
      throw new AlluxioError('INVALID_ARGUMENT', `${key}: "${text}" is not one of ${values.join(', ')}`)
    }
    return found
  }
  return register({ ...declaration, key, type: 'enum', values, parse })
}

function register<T>(declared: Option<T>): Option<T> {
  if (registry.has(declared.key))
    throw new AlluxioError('INTERNAL', `option ${declared.key} is declared twice`)
  registry.set(declared.key, declared as Option)
  return declared
}

function checkRange(key: string, value: number, { min, max }: { min?: number; max?: number }): void {
  if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
    throw new AlluxioError('INVALID_ARGUMENT', `${key}: ${value} is outside ${min ?? '-∞'} … ${max ?? '∞'}`)
  }
}

const PARSERS: { readonly [K in OptionType]: (text: string, key: string) => OptionKinds[K] } = {
  string: (text) => text,
  path: (text) => text,
  int: (text, key) => parseNumber(text, key, Number.isSafeInteger),
  float: (text, key) => parseNumber(text, key, Number.isFinite),
  port: (text, key) => parseNumber(text, key, (n) => Number.isInteger(n) && n >= 0 && n <= 65535),
  bytes: (text, key) => named(key, () => parseBytes(text)),
  duration: (text, key) => named(key, () => parseDuration(text)),
  list: (text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  boolean(text, key) {
    const value = text.toLowerCase()
    if (value === 'true' || value === 'false') return value === 'true'
    throw new AlluxioError('INVALID_ARGUMENT', `${key}: "${text}" is neither true nor false`)
  },
}

function parseNumber(text: string, key: string, valid: (n: number) => boolean): number {
  const n = text === '' ? Number.NaN : Number(text)
  if (!valid(n)) throw new AlluxioError('INVALID_ARGUMENT', `${key}: "${text}" is not a valid number here`)
  return n
}

function named<T>(key: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new AlluxioError('INVALID_ARGUMENT', `${key}: ${(error as Error).message}`, { cause: error })
  }
}
