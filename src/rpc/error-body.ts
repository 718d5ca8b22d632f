/**
 * Errors on the wire: a body `[code number, reason or nil, message, details as JSON or nil]`. The stack stays with the
 * process that threw.
 */
import { AlluxioError, ERROR_CODES, errorCodeFromWire, toAlluxioError } from '../core/index.ts'
import type { Reader, Writer } from './message-pack.ts'

const MESSAGE_CHARACTERS = 16 * 1024
const DETAILS_CHARACTERS = 64 * 1024

export function encodeError(writer: Writer, thrown: unknown): void {
  const error = toAlluxioError(thrown)
  writer.array(4)
  writer.number(ERROR_CODES[error.code].wire, 'code')
  if (error.reason === undefined) writer.nil()
  else writer.string(error.reason, 'reason')
  writer.string(error.message.slice(0, MESSAGE_CHARACTERS), 'message')
  const details = detailsText(error.details)
  if (details === undefined) writer.nil()
  else writer.string(details, 'details')
}

/** @throws INVALID_ARGUMENT, reason MALFORMED. */
export function decodeError(reader: Reader, operation: string): AlluxioError {
  const count = reader.array('error')
  if (count < 4)
    throw new AlluxioError('INVALID_ARGUMENT', 'an error body is cut short', { reason: 'MALFORMED' })
  const code = errorCodeFromWire(reader.number('code'))
  const reason = reader.nil() ? undefined : reader.string('reason')
  const message = reader.string('message')
  const details = reader.nil() ? undefined : parseDetails(reader.string('details'))
  for (let i = 4; i < count; i++) reader.skip()
  return new AlluxioError(code, message, {
    operation,
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
  })
}

function detailsText(details: Readonly<Record<string, unknown>>): string | undefined {
  for (const _ in details) {
    try {
      const text = JSON.stringify(details, (_key, value) =>
        typeof value === 'bigint' ? value.toString() : value,
      )
      return text.length > DETAILS_CHARACTERS ? undefined : text
    } catch {
      // Details that are no JSON (a cycle) are worth less than the error itself.
      return undefined
    }
  }
  return undefined
}

function parseDetails(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.length > DETAILS_CHARACTERS) return undefined
  try {
    const value: unknown = JSON.parse(text, (key, inner) => (POLLUTING.has(key) ? undefined : inner))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const POLLUTING: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
