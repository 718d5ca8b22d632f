/**
 * What the plug-ins of schedulers ask beyond WebHDFS, in the name of their user: hints in the form of an engine, inputs loaded before a
 * job and pinned while it runs.
 */
import { type FileSystem, filesBelow, type HintOptions } from '../../client/index.ts'
import { AlluxioError, eachLimited, isAlluxioError, type Runtime, sleep } from '../../core/index.ts'
import type { Adapters, EngineFacts } from '../../scheduler/index.ts'
import { receive } from '../http/body.ts'
import { booleanJson, type Operation } from './operation.ts'

const MAX_BODY_BYTES = 4 * 2 ** 20
/** A load that takes longer goes on, and is asked for again, ms. */
const LOAD_WAIT_MS = 10_000
/** Files at once: the work is the workers', who bound it themselves. */
const PARALLEL_FILES = 32
const MAX_LOADS = 1000

/** As the master answers to `POST /api/v1/hints/locate`. */
interface Question extends HintOptions {
  readonly paths?: readonly string[]
  readonly for?: string
  readonly engine?: EngineFacts
}

/** HINTS: the body and the answer are those of the master's `POST /api/v1/hints/locate` (docs/reference/hints.md). */
export function hints(adapters: Adapters, runtime: Runtime): Operation {
  return async ({ fs, request }) => {
    const chunks: Buffer[] = []
    const take = (chunk: Buffer) => void chunks.push(chunk)
    await receive(request, take, { runtime, maxBytes: MAX_BODY_BYTES })
    const { paths = [], for: name, engine = {}, ...options } = questionOf(Buffer.concat(chunks))
    const adapter = name === undefined ? undefined : adapters.of(name)
    const answers = await fs.hints.locate(paths, options)
    return JSON.stringify(adapter === undefined ? answers : adapter.adapt(answers, engine))
  }
}

/** What is in it is checked by who is asked. */
function questionOf(body: Buffer): Question {
  let question: unknown
  try {
    question = JSON.parse(body.toString('utf8'))
  } catch {
    // Told below.
  }
  if (typeof question === 'object' && question !== null && isPathList((question as Question).paths))
    return question as Question
  throw new AlluxioError('INVALID_ARGUMENT', 'the body is no question for hints: a JSON object with paths')
}

function isPathList(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((path) => typeof path === 'string'))
}

export class Loads {
  readonly #runtime: Runtime
  readonly #underWay = new Map<string, Promise<void>>()

  constructor({ runtime }: { readonly runtime: Runtime }) {
    this.#runtime = runtime
  }

  /**
   * LOAD: a file, or all files below a directory, each block to its stable place. `{"boolean": false}` when that is still under way after
   * 10 s: who asks again waits for the same load.
   */
  readonly load: Operation = async ({ fs, asked, user }) => {
    const key = `${user} ${asked.path}`
    let loading = this.#underWay.get(key)
    if (loading === undefined) {
      if (this.#underWay.size >= MAX_LOADS)
        throw new AlluxioError('RESOURCE_EXHAUSTED', `${MAX_LOADS} loads are under way here already`)
      loading = loadAll(fs, asked.path).finally(() => this.#underWay.delete(key))
      this.#underWay.set(key, loading)
      // Who waits is told; a failure while nobody does is met again by the next one.
      loading.catch(() => {})
    }
    const enough = new AbortController()
    const waited = sleep(this.#runtime, LOAD_WAIT_MS, enough.signal).then(
      () => false,
      () => false,
    )
    try {
      return booleanJson(await Promise.race([loading.then(() => true), waited]))
    } finally {
      enough.abort()
    }
  }
}

function loadAll(fs: FileSystem, path: string): Promise<void> {
  return eachLimited(filesBelow(fs, path), PARALLEL_FILES, async ({ path: file, inAlluxioPercentage }) => {
    if (inAlluxioPercentage < 100) await fs.load(file, { policy: 'DeterministicHash' }).catch(ifGone)
  })
}

/** Files may go while a directory is loaded. */
function ifGone(error: unknown): undefined {
  if (isAlluxioError(error, 'NOT_FOUND')) return undefined
  throw error
}

/** PIN: with all below it; `{"boolean": false}` for what was pinned before, which is then for somebody else to unpin. */
export const pin: Operation = async ({ fs, asked }) => {
  const { pinned } = await fs.getStatus(asked.path)
  if (!pinned) await fs.setAttribute(asked.path, { pinned: true, recursive: true })
  return booleanJson(!pinned)
}

export const unpin: Operation = async ({ fs, asked }) => {
  await fs.setAttribute(asked.path, { pinned: false, recursive: true })
  return booleanJson(true)
}
