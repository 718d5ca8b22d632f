/**
 * What clients asked and were told, stamped at the client's edge. Stamps order calls and returns totally: one counter for
 * the whole world. An operation whose outcome nobody can know (the client died, the call timed out) never returns.
 */
import { type ErrorCode, errorCode, isAlluxioError } from '../../../src/core/index.ts'

export type Ask =
  | { readonly kind: 'create'; readonly path: string; readonly tag: number; readonly overwrite: boolean }
  /** `through`: its bytes reach the under-store, now or later. */
  | { readonly kind: 'complete'; readonly path: string; readonly tag: number; readonly through: boolean }
  /** The writer may give up, or die: until its file is complete it may vanish at any time. */
  | { readonly kind: 'abandon'; readonly path: string; readonly tag: number }
  /** The file of this tag has a TTL: the same. */
  | { readonly kind: 'expire'; readonly path: string; readonly tag: number }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'delete'; readonly path: string; readonly recursive: boolean }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'stat'; readonly path: string }
  | { readonly kind: 'list'; readonly path: string }
  | { readonly kind: 'read'; readonly path: string; readonly offset: number; readonly length: number }
  /** Free, pin, persist, setTtl: they ask only that the path is there. */
  | { readonly kind: 'touch'; readonly path: string; readonly what: string }

/** A file or directory as a client saw it. */
export interface Seen {
  readonly folder: boolean
  readonly completed: boolean
  readonly length: number
}

export type Told =
  | { readonly kind: 'ok' }
  | { readonly kind: 'seen'; readonly entry: Seen }
  | { readonly kind: 'listed'; readonly entries: ReadonlyMap<string, Seen> }
  /** `fileLength` as the open said; `wrong`: offset of the first wrong byte, or -1. */
  | { readonly kind: 'bytes'; readonly fileLength: number; readonly count: number; readonly wrong: number }
  /** The file was opened, and reading it failed: it may have been replaced meanwhile. */
  | {
      readonly kind: 'broken'
      readonly fileLength: number
      readonly code: ErrorCode
      readonly message: string
    }
  | {
      readonly kind: 'error'
      readonly code: ErrorCode
      readonly reason?: string | undefined
      readonly message: string
    }

export interface Operation {
  readonly id: number
  readonly client: string
  readonly ask: Ask
  readonly calledAt: number
  readonly calledMs: number
  /** Infinity: never returned, or returned with an outcome that says nothing. */
  returnedAt: number
  returnedMs: number
  told: Told | undefined
  /** It turned out that it cannot have happened. */
  void: boolean
}

/** Codes that say for certain that nothing was done, and why. After any other the operation may still take effect. */
const CERTAIN: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'DIRECTORY_NOT_EMPTY',
  'CONFLICT',
])

export class History {
  readonly operations: Operation[] = []
  /** Length in bytes of each tag's file. */
  readonly lengths = new Map<number, number>()
  readonly #nowMs: () => number
  #stamp = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  call(client: string, ask: Ask): Operation {
    const operation: Operation = {
      id: this.operations.length,
      client,
      ask,
      calledAt: this.#stamp++,
      calledMs: this.#nowMs(),
      returnedAt: Number.POSITIVE_INFINITY,
      returnedMs: Number.POSITIVE_INFINITY,
      told: undefined,
      void: false,
    }
    this.operations.push(operation)
    return operation
  }

  returned(operation: Operation, told: Told): void {
    operation.told = told
    operation.returnedMs = this.#nowMs()
    if (told.kind !== 'error' || (isCertain(told) && !mayLeaveObject(operation.ask)))
      operation.returnedAt = this.#stamp++
  }

  /** Runs an operation and records what came of it. @throws what it threw */
  async record<T>(client: string, ask: Ask, run: () => Promise<T>, told: (result: T) => Told): Promise<T> {
    const operation = this.call(client, ask)
    let result: T
    try {
      result = await run()
    } catch (error) {
      this.returned(operation, toldError(error))
      throw error
    }
    this.returned(operation, told(result))
    return result
  }
}

/**
 * A command that went twice, and whose work somebody took away in between, is told so: it was done. Of a sync that ended with
 * its master nothing is known.
 */
function isCertain({ code, reason }: Extract<Told, { kind: 'error' }>): boolean {
  return CERTAIN.has(code) && reason !== 'DELETED_SINCE' && reason !== 'SYNC_FORGOTTEN'
}

/** A refused write through the cache may have left its object in the under-store for a while, where it can be found. */
function mayLeaveObject(ask: Ask): boolean {
  return ask.kind === 'complete' && ask.through
}

export function toldError(error: unknown): Extract<Told, { kind: 'error' }> {
  const message = error instanceof Error ? error.message : String(error)
  return {
    kind: 'error',
    code: errorCode(error),
    reason: isAlluxioError(error) ? error.reason : undefined,
    message: isAlluxioError(error) ? message : `foreign: ${message}`,
  }
}

export function describe(operation: Operation): string {
  const { kind, ...rest } = operation.ask
  const told = operation.told
  const result =
    told === undefined
      ? '?'
      : told.kind === 'listed'
        ? `{${[...told.entries].map(([name, seen]) => `${name}:${shortSeen(seen)}`).join(' ')}}`
        : told.kind === 'seen'
          ? shortSeen(told.entry)
          : told.kind === 'error'
            ? `${told.code} (${told.message.slice(0, 100)})`
            : told.kind === 'broken'
              ? `opened with ${told.fileLength} bytes, then ${told.code} (${told.message.slice(0, 100)})`
              : told.kind === 'bytes'
                ? `${told.count} bytes of ${told.fileLength}${told.wrong < 0 ? '' : `, WRONG at ${told.wrong}`}`
                : 'ok'
  const end = operation.returnedMs === Number.POSITIVE_INFINITY ? '…' : operation.returnedMs.toFixed(1)
  return `#${operation.id} ${operation.client} [${operation.calledMs.toFixed(1)}, ${end}] ${kind} ${Object.values(rest).join(' ')} -> ${result}`
}

function shortSeen(seen: Seen): string {
  return seen.folder ? 'dir' : `${seen.completed ? 'file' : 'incomplete'}(${seen.length})`
}
