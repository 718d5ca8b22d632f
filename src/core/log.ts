/** Structured log: one JSON object a line. Sinks and clock are handed in; levels can change at run time. */
import type { Runtime } from './runtime.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log
}

/** A value that must never be printed: shows as `***` in strings, JSON and inspection. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '***'
  }
  toJSON(): string {
    return '***'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}

export interface LogOptions {
  readonly level: LogLevel
  readonly fields?: LogFields
}

export class JsonLog implements Log {
  readonly #sink: (line: string) => void
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #fields: LogFields
  readonly #level: { least: number }

  constructor(
    options: LogOptions,
    modules: { readonly sink: (line: string) => void; readonly runtime: Pick<Runtime, 'now'> },
    level: { least: number } = { least: LOG_LEVELS.indexOf(options.level) },
  ) {
    this.#sink = modules.sink
    this.#runtime = modules.runtime
    this.#fields = options.fields ?? {}
    this.#level = level
  }

  set level(level: LogLevel) {
    this.#level.least = LOG_LEVELS.indexOf(level)
  }

  debug(message: string, fields?: LogFields): void {
    this.#write(0, message, fields)
  }
  info(message: string, fields?: LogFields): void {
    this.#write(1, message, fields)
  }
  warn(message: string, fields?: LogFields): void {
    this.#write(2, message, fields)
  }
  error(message: string, fields?: LogFields): void {
    this.#write(3, message, fields)
  }

  child(fields: LogFields): Log {
    return new JsonLog(
      { level: 'info', fields: { ...this.#fields, ...fields } },
      { sink: this.#sink, runtime: this.#runtime },
      this.#level,
    )
  }

  #write(severity: number, message: string, fields: LogFields | undefined): void {
    if (severity < this.#level.least) return
    const time = new Date(this.#runtime.now()).toISOString()
    const line = { time, level: LOG_LEVELS[severity], message, ...this.#fields, ...fields }
    this.#sink(`${JSON.stringify(line, printable)}\n`)
  }
}

function printable(_key: string, value: unknown): unknown {
  if (value instanceof Error)
    return {
      name: value.name,
      message: value.message,
      stack: value.stack,
      cause: value.cause,
      ...('code' in value ? { code: value.code } : {}),
    }
  if (typeof value === 'bigint') return value.toString()
  return value
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
