/**
 * What goes between a daemon and the thread of a plug-in. The daemon's side numbers stores, calls, reads and writers; bytes are
 * moved, not copied, and flow only as far as the receiver has granted.
 */
import {
  AlluxioError,
  ERROR_CODES,
  type ErrorCode,
  errorCodeFromWire,
  isAlluxioError,
  type LogLevel,
} from '../../core/index.ts'
import type { UfsOptions } from '../registry.ts'
import type { UfsCapabilities } from '../store.ts'
import type { UfsUri } from '../uri.ts'

/** Bytes of a read that may wait on the daemon's side, and of a write on the thread's. */
export const WINDOW_BYTES = 4 * 2 ** 20
/** Bytes after which a receiver tells that it has taken them. */
export const GRANT_BYTES = 2 ** 20

/** Mark of a thread that is ours: nothing else may run what its entry serves. */
export const THREAD_MARK = 'alluxio-ufs-plug-in'

export interface ThreadData {
  readonly mark: typeof THREAD_MARK
  /** URL of the module. */
  readonly url: string
}

/** Methods that take plain values and give one back. */
export type PlainMethod = 'status' | 'list' | 'mkdir' | 'delete' | 'rename' | 'space' | 'setAttributes'

export type ToThread =
  | {
      readonly kind: 'open'
      readonly id: number
      readonly scheme: string
      readonly uri: UfsUri
      readonly options: UfsOptions
    }
  | {
      readonly kind: 'call'
      readonly id: number
      readonly store: number
      readonly method: PlainMethod
      /** Without the signal, which `cancel` stands for. */
      readonly args: readonly unknown[]
    }
  | {
      readonly kind: 'read'
      readonly id: number
      readonly store: number
      readonly path: string
      readonly offset: number
      readonly length: number
      readonly fingerprint: string | undefined
    }
  | { readonly kind: 'grant'; readonly id: number; readonly bytes: number }
  | {
      readonly kind: 'create'
      readonly id: number
      readonly store: number
      readonly path: string
      readonly options: object
    }
  | { readonly kind: 'write'; readonly writer: number; readonly chunk: Uint8Array }
  | { readonly kind: 'end'; readonly id: number; readonly writer: number; readonly how: 'close' | 'abort' }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number; readonly store: number }
  | { readonly kind: 'ping' }

export type FromThread =
  /** The module is loaded and serves these schemes. */
  | { readonly kind: 'loaded'; readonly schemes: readonly string[] }
  | { readonly kind: 'refused'; readonly error: ForeignError }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: ForeignError }
  | { readonly kind: 'fingerprint'; readonly id: number; readonly value: string }
  | { readonly kind: 'chunk'; readonly id: number; readonly chunk: Uint8Array }
  /** So many bytes of a write went into the store. */
  | { readonly kind: 'taken'; readonly writer: number; readonly bytes: number }
  | { readonly kind: 'failed'; readonly writer: number; readonly error: ForeignError }
  | { readonly kind: 'pong'; readonly bufferBytes: number }
  | {
      readonly kind: 'log'
      readonly store: number
      readonly level: LogLevel
      readonly message: string
      readonly fields: string
    }
  | { readonly kind: 'secret'; readonly store: number; readonly key: string; readonly value: string }
  | { readonly kind: 'api'; readonly store: number; readonly names: readonly string[] }

export interface OpenedStore {
  readonly scheme: string
  readonly capabilities: UfsCapabilities
}

/** An error in a form that every thread can read. */
export interface ForeignError {
  /** Number of an AlluxioError's code; 0 for any other error. */
  readonly wire: number
  readonly message: string
  readonly stack: string
  /** An AlluxioError's reason, or what Node.js calls an error's code. */
  readonly reason: string | undefined
  /** JSON. */
  readonly details: string
}

export function foreignError(error: unknown): ForeignError {
  const given = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  const reason = isAlluxioError(error) ? error.reason : given.code
  return {
    wire: isAlluxioError(error) ? (ERROR_CODES[error.code]?.wire ?? ERROR_CODES.INTERNAL.wire) : 0,
    message: typeof given.message === 'string' ? given.message : String(error),
    stack: typeof given.stack === 'string' ? given.stack : '',
    reason: typeof reason === 'string' ? reason : undefined,
    details: isAlluxioError(error) ? jsonOf(error.details) : '{}',
  }
}

/** The error again: an AlluxioError, or one with a `code` of Node.js, which the translation layer knows. */
export function thrownError({ wire, message, stack, reason, details }: ForeignError): Error {
  if (wire === 0) {
    const error: NodeJS.ErrnoException = new ForeignFailure(message)
    error.stack = stack
    if (reason !== undefined) error.code = reason
    return error
  }
  const code: ErrorCode = errorCodeFromWire(wire)
  return new AlluxioError(code, message, {
    ...(reason === undefined ? {} : { reason }),
    details: JSON.parse(details) as Record<string, unknown>,
  })
}

/** What is neither ours nor known before `fromErrno` of the translation layer has seen it. */
class ForeignFailure extends Error {}

export function jsonOf(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? '{}'
    )
  } catch {
    return '{}' // circular
  }
}

/** A chunk that can be moved: itself when it is the whole of its memory, else a copy. */
export function movable(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = chunk.buffer instanceof ArrayBuffer && chunk.byteLength === chunk.buffer.byteLength
  return whole ? new Uint8Array(chunk.buffer as ArrayBuffer) : new Uint8Array(chunk)
}
