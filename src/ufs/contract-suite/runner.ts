/** What a case of the suite is, and how the cases are run: no test framework, so that users run the same ones. */
import { AlluxioError, type ErrorCode, errorCode, type Runtime, toAlluxioError } from '../../core/index.ts'
import type { UfsCapabilities, UfsCreateOptions, UfsReadOptions, UfsStatus, UnderStore } from '../store.ts'
import { childOf } from '../uri.ts'

export interface UfsTestContext {
  readonly store: UnderStore
  /** A directory of this case's own, made before it runs and removed afterwards. */
  readonly root: string
  readonly runtime: Runtime
  /** Children of a directory that is large: more than a page and more than a batch of deletes. */
  readonly largeCount: number
  /** Bytes of a file that is large: more than one upload part. */
  readonly largeBytes: number
}

export interface UfsTestCase {
  readonly name: string
  /** Capabilities without which the case says nothing. */
  readonly needs?: readonly (keyof UfsCapabilities)[]
  /** Only for stores of these schemes. */
  readonly schemes?: readonly string[]
  run(context: UfsTestContext): Promise<void>
}

export interface UfsTestResult {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  /** Why it was skipped. */
  readonly reason?: string
  readonly error?: AlluxioError
}

export function violation(message: string): AlluxioError {
  return new AlluxioError('INTERNAL', message, { reason: 'CONTRACT_VIOLATION' })
}

export function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw violation(message)
}

export function equal<T>(actual: T, expected: T, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== e) throw violation(`${what}: expected ${shorten(e)}, got ${shorten(a)}`)
}

function shorten(text: string | undefined): string {
  return text === undefined ? 'undefined' : text.length > 400 ? `${text.slice(0, 400)}…` : text
}

/** Runs `action`, which must fail with one of `codes`. */
export async function fails(
  action: () => Promise<unknown>,
  codes: readonly ErrorCode[],
  what: string,
): Promise<AlluxioError> {
  try {
    await action()
  } catch (error) {
    if (codes.includes(errorCode(error))) return error as AlluxioError
    throw violation(
      `${what}: expected ${codes.join(' or ')}, got ${errorCode(error)}: ${(error as Error).message}`,
    )
  }
  throw violation(`${what}: expected ${codes.join(' or ')}, but it succeeded`)
}

/** Bytes that tell where they stand, so that a misplaced range shows. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + (i >>> 16) * 13 + seed) & 255
  return bytes
}

export async function put(
  store: UnderStore,
  path: string,
  bytes: Uint8Array,
  options?: UfsCreateOptions,
  chunkBytes = 2 ** 20,
): Promise<UfsStatus> {
  const writer = await store.create(path, options)
  for (let at = 0; at < bytes.length; at += chunkBytes)
    await writer.write(bytes.subarray(at, at + chunkBytes))
  return writer.close()
}

export async function get(
  store: UnderStore,
  path: string,
  options: Partial<UfsReadOptions> = {},
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): Promise<void> {
  if (Buffer.compare(actual, expected) === 0) return
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  throw violation(
    `${what}: ${actual.length} bytes instead of ${expected.length}, first difference at byte ${at}`,
  )
}

/** All entries of a listing, page by page. Two identical cursors in a row would never end. */
export async function listAll(
  store: UnderStore,
  path: string,
  options: { recursive?: boolean; limit?: number } = {},
): Promise<UfsStatus[]> {
  const entries: UfsStatus[] = []
  let cursor: string | undefined
  for (;;) {
    const page = await store.list(path, { ...options, ...(cursor === undefined ? {} : { cursor }) })
    check(
      options.limit === undefined || page.entries.length <= options.limit,
      `a page of ${page.entries.length} entries where ${options.limit} were asked for`,
    )
    entries.push(...page.entries)
    if (page.cursor === undefined) return entries
    check(page.cursor !== cursor, 'the listing does not advance: the same cursor came twice')
    cursor = page.cursor
  }
}

/** `directory|path` relative to `root`, sorted: a listing in a form to compare. */
export function shape(entries: readonly UfsStatus[], root: string): string[] {
  return entries
    .map(({ path, directory }) => `${path.slice(root === '' ? 0 : root.length + 1)}${directory ? '/' : ''}`)
    .sort()
}

export async function exists(store: UnderStore, path: string): Promise<boolean> {
  try {
    await store.status(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'NOT_FOUND') return false
    throw error
  }
}

/** Runs `work` over all items, some at a time. */
export async function each<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  atOnce = 16,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
}

/** Runs one case in a directory of its own below `root`, and removes the directory. */
export async function runCase(test: UfsTestCase, context: UfsTestContext): Promise<UfsTestResult> {
  const { store, runtime } = context
  const skip = skipReason(test, store)
  if (skip !== undefined) return { name: test.name, outcome: 'skipped', seconds: 0, reason: skip }
  const start = runtime.monotonic()
  const root = childOf(context.root, test.name)
  let error: AlluxioError | undefined
  try {
    await store.mkdir(root)
    await test.run({ ...context, root })
  } catch (thrown) {
    error = toAlluxioError(thrown, test.name)
  }
  try {
    await store.delete(root, { recursive: true })
  } catch (thrown) {
    if (errorCode(thrown) !== 'NOT_FOUND') error ??= toAlluxioError(thrown, `cleaning up after ${test.name}`)
  }
  const seconds = (runtime.monotonic() - start) / 1000
  return error === undefined
    ? { name: test.name, outcome: 'passed', seconds }
    : { name: test.name, outcome: 'failed', seconds, error }
}

/** Why a case says nothing about a store; undefined when it does. */
export function skipReason(test: UfsTestCase, store: UnderStore): string | undefined {
  const missing = (test.needs ?? []).filter((capability) => store.capabilities[capability] === false)
  if (missing.length > 0) return `the store has no ${missing.join(', ')}`
  if (test.schemes !== undefined && !test.schemes.includes(store.scheme))
    return `only for ${test.schemes.join(', ')}`
  return undefined
}
