/**
 * Configuration: defaults < `conf/alluxio-site.properties` < `ALLUXIO_*` environment < `-Dkey=value`.
 * The only module that reads `process.env`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { AlluxioError, isAlluxioError } from '../errors.ts'
import { declaredOptions, type Option } from './option.ts'

export type ConfigSource = 'DEFAULT' | 'SITE_PROPERTY' | 'ENVIRONMENT' | 'COMMAND_LINE' | 'PROGRAM'

interface RawValue {
  readonly text: string
  readonly source: ConfigSource
  /** File and line, variable name or flag, for messages. */
  readonly origin: string
}

export interface ConfigInputs {
  /** `-D` values, `key=value`. */
  readonly properties?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Site file; default `${ALLUXIO_CONF_DIR}` or `${ALLUXIO_DATA}/conf`, then `${ALLUXIO_HOME}/conf`. */
  readonly siteFile?: string
  /** Values set by code (tests, embedded clusters); they win over everything. */
  readonly overrides?: Readonly<Record<string, string>>
}

/** Keys of the form `alluxio.worker.tieredstore.level0.alias` match their declaration with `level{n}`. */
function declarationOf(key: string): Option | undefined {
  return declaredOptions().get(key) ?? declaredOptions().get(key.replace(/\.level\d+\./, '.level{n}.'))
}

/** Free-form subtrees: options handed through to a store, mount or logger. */
const OPEN_PREFIXES = ['alluxio.underfs.', 'alluxio.master.mount.table.root.option.', 's3a.', 'fs.']

export class Config {
  readonly #raw: Map<string, RawValue>
  readonly #parsed = new Map<string, unknown>()

  private constructor(raw: Map<string, RawValue>) {
    this.#raw = raw
  }

  /**
   * Reads and validates all layers.
   * @throws INVALID_ARGUMENT listing every problem at once, each with its origin and, for an unknown key, the nearest
   *   known one.
   */
  static load(inputs: ConfigInputs = {}): Config {
    const env = inputs.env ?? process.env
    const raw = new Map<string, RawValue>()
    const data = env.ALLUXIO_DATA ?? join(homedir(), '.alluxio')
    const home = env.ALLUXIO_HOME ?? process.cwd()
    raw.set('alluxio.home', { text: home, source: 'ENVIRONMENT', origin: 'ALLUXIO_HOME' })
    raw.set('alluxio.data', { text: data, source: 'ENVIRONMENT', origin: 'ALLUXIO_DATA' })
    const problems: string[] = []
    for (const file of siteFiles(inputs.siteFile, env, data, home)) readSite(file, raw)
    readEnvironment(env, raw)
    for (const property of inputs.properties ?? []) {
      const equals = property.indexOf('=')
      if (equals <= 0) problems.push(`-D${property}: write -Dkey=value`)
      else
        set(
          raw,
          property.slice(0, equals),
          property.slice(equals + 1),
          'COMMAND_LINE',
          `-D${property.slice(0, equals)}`,
        )
    }
    for (const [key, text] of Object.entries(inputs.overrides ?? {}))
      set(raw, key, text, 'PROGRAM', 'program')
    const config = new Config(raw)
    problems.push(...config.#problems())
    if (problems.length > 0) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `the configuration has ${problems.length} problem(s):\n  ${problems.join('\n  ')}`,
        {
          reason: 'INVALID_CONFIGURATION',
          details: { problems },
        },
      )
    }
    return config
  }

  get<T>(option: Option<T>): T {
    const cached = this.#parsed.get(option.key)
    if (cached !== undefined) return cached as T
    const value = this.#resolve(option, option.key)
    if (value !== undefined) this.#parsed.set(option.key, value)
    return value as T
  }

  /** Value of a templated option (`…level{n}…`) for one n; undefined when unset and without default. */
  getAt<T>(option: Option<T>, n: number): T | undefined {
    return this.#resolve(option, option.key.replace('{n}', String(n))) as T | undefined
  }

  /** All keys under a prefix that were set, with the prefix removed: options for a store or mount. */
  subtree(prefix: string): Record<string, string> {
    const found: Record<string, string> = {}
    for (const [key, value] of this.#raw)
      if (key.startsWith(prefix)) found[key.slice(prefix.length)] = value.text
    return found
  }

  isSet(option: Option): boolean {
    return this.#raw.has(option.key)
  }

  /** Where a key's value comes from; DEFAULT if nobody set it. */
  source(key: string): { source: ConfigSource; origin: string } {
    const raw = this.#raw.get(key)
    return raw === undefined
      ? { source: 'DEFAULT', origin: 'default' }
      : { source: raw.source, origin: raw.origin }
  }

  /** The textual value of any key as getConf prints it, variables filled in; undefined for an unknown key. */
  text(key: string): string | undefined {
    const raw = this.#raw.get(key)
    if (raw !== undefined) return this.#expand(raw.text, 0)
    const declared = declarationOf(key)
    if (declared === undefined) return undefined
    return declared.default === undefined ? '' : this.#expand(String(declared.default), 0)
  }

  /** Every declared or set key, sorted. */
  keys(): string[] {
    return [...new Set([...declaredOptions().keys(), ...this.#raw.keys()])].sort()
  }

  /** The layers above the defaults as `key=value`, to hand to a child process. */
  explicitProperties(): string[] {
    return [...this.#raw]
      .filter(([, value]) => value.source === 'COMMAND_LINE' || value.source === 'PROGRAM')
      .map(([key, value]) => `${key}=${value.text}`)
  }

  #resolve(option: Option, key: string): unknown {
    const raw = this.#raw.get(key)
    if (raw !== undefined) return option.parse(this.#expand(raw.text, 0))
    return typeof option.default === 'string' ? this.#expand(option.default, 0) : option.default
  }

  #expand(text: string, depth: number): string {
    if (depth > 8 || !text.includes('${')) return text
    return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      const inner = this.#raw.get(name)?.text ?? AMBIENT[name]?.() ?? declarationOf(name)?.default
      return inner === undefined ? '' : this.#expand(String(inner), depth + 1)
    })
  }

  #problems(): string[] {
    const problems: string[] = []
    for (const [key, value] of this.#raw) {
      const declared = declarationOf(key)
      if (declared === undefined) {
        if (!key.startsWith('alluxio.') || OPEN_PREFIXES.some((prefix) => key.startsWith(prefix))) continue
        const nearest = nearestKey(key)
        problems.push(
          `${value.origin}: unknown key ${key}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
        )
        continue
      }
      try {
        declared.parse(this.#expand(value.text, 0))
      } catch (error) {
        if (!isAlluxioError(error)) throw error
        problems.push(`${value.origin}: ${error.message}`)
      }
    }
    return problems
  }
}

const AMBIENT: Readonly<Record<string, () => string>> = {
  'user.name': () => userInfo().username,
  'user.home': homedir,
  'host.name': hostname,
}

function siteFiles(
  given: string | undefined,
  env: ConfigInputs['env'] & {},
  data: string,
  home: string,
): string[] {
  if (given !== undefined) {
    if (!existsSync(given)) throw new AlluxioError('INVALID_ARGUMENT', `site file ${given} does not exist`)
    return [given]
  }
  const folder = env.ALLUXIO_CONF_DIR
  const candidates = folder === undefined ? [join(home, 'conf'), join(data, 'conf')] : [folder]
  return candidates.map((dir) => join(dir, 'alluxio-site.properties')).filter((file) => existsSync(file))
}

function readSite(file: string, raw: Map<string, RawValue>): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  for (const [i, line] of lines.entries()) {
    const text = line.trim()
    if (text === '' || text.startsWith('#') || text.startsWith('!')) continue
    const separator = text.search(/[=:]/)
    const key = separator === -1 ? text : text.slice(0, separator).trim()
    set(
      raw,
      key,
      separator === -1 ? '' : text.slice(separator + 1).trim(),
      'SITE_PROPERTY',
      `${file}:${i + 1}`,
    )
  }
}

/** `ALLUXIO_MASTER_RPC_PORT` sets `alluxio.master.rpc.port`; names that are no option are left to others. */
function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  raw: Map<string, RawValue>,
): void {
  for (const option of declaredOptions().values()) {
    const name = environmentName(option.key)
    const value = env[name]
    if (value !== undefined && option.key !== 'alluxio.home' && option.key !== 'alluxio.data') {
      set(raw, option.key, value, 'ENVIRONMENT', name)
    }
  }
}

/** The process's environment, for what is no option of ours (NO_COLOR, TERM, credentials that a mount refers to). */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env
}

export function environmentName(key: string): string {
  return key.toUpperCase().replace(/[.-]/g, '_')
}

function set(
  raw: Map<string, RawValue>,
  key: string,
  text: string,
  source: ConfigSource,
  origin: string,
): void {
  raw.set(key, { text, source, origin })
}

/** The declared key with the least edit distance, if it is close. */
function nearestKey(key: string): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(3, Math.floor(key.length / 5))
  for (const candidate of declaredOptions().keys()) {
    const distance = editDistance(key, candidate, bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance, given up above `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution))
    }
    row = next
  }
  return row[b.length]!
}
