/**
 * A framework's connection to the leading master: one request whose answer streams events, and calls beside it that name the stream. A
 * stream that breaks or falls silent is opened again as the same framework.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import {
  AlluxioError,
  backoffMs,
  isAlluxioError,
  type Log,
  type Runtime,
  type Secret,
  sleep,
  toAlluxioError,
} from '../../core/index.ts'
import { RecordReader } from './record-reader.ts'
import type { KnownAgent, SchedulerCall, SchedulerEvent } from './scheduler-api.ts'

export interface SchedulerConnectionOptions {
  /** Of one or all masters; those that do not lead name the one that does. */
  readonly masters: readonly URL[]
  /** Value of the Authorization header. */
  readonly authorization?: Secret | undefined
  /** Without a subscription for so long it gives up, ms. */
  readonly patienceMs: number
}

export interface SchedulerConnectionModules {
  readonly runtime: Runtime
  readonly log: Log
  /** Body of SUBSCRIBE as of now. */
  readonly subscribe: () => Readonly<Record<string, unknown>>
  readonly onEvent: (event: SchedulerEvent) => void
}

interface Answer {
  readonly status: number
  readonly text: string
}

const SCHEDULER_PATH = '/master/api/v1/scheduler'
const OPERATOR_PATH = '/master/api/v1'
const CALL_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 2 ** 20
/** Until the master says how often it beats. */
const HEARTBEAT_MS = 15_000
/** Beats that may fail to come. */
const MISSED = 3
const RETRY_BASE_MS = 200
const RETRY_CAP_MS = 5_000
const REDIRECTS = [301, 302, 307, 308]

export class SchedulerConnection {
  readonly #options: SchedulerConnectionOptions
  readonly #m: SchedulerConnectionModules
  #leader: URL
  #frameworkId: string | undefined
  #stream: string | undefined
  #ended = false

  /** @param frameworkId of a framework that goes on */
  constructor(
    options: SchedulerConnectionOptions,
    modules: SchedulerConnectionModules,
    frameworkId: string | undefined,
  ) {
    this.#options = options
    this.#m = modules
    this.#leader = options.masters[0]!
    this.#frameworkId = frameworkId
  }

  get isSubscribed(): boolean {
    return this.#stream !== undefined
  }

  get frameworkId(): string | undefined {
    return this.#frameworkId
  }

  /**
   * Subscribes, and again whenever that is lost, until `signal` aborts.
   * @throws UNAVAILABLE when no master takes it for too long, INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED; CONFLICT, reason
   * FRAMEWORK_REMOVED, when the master ended the framework
   */
  async run(signal: AbortSignal): Promise<void> {
    const { runtime, log } = this.#m
    let since = runtime.monotonic()
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#subscribed(signal)
        attempt = 0
        since = runtime.monotonic()
      } catch (thrown) {
        if (signal.aborted || this.#ended) return
        const error = toAlluxioError(thrown)
        if (error.code !== 'UNAVAILABLE' && error.code !== 'DATA_LOSS') throw error
        const patience = this.#options.patienceMs
        if (error.reason === 'STREAM_BROKE') {
          attempt = 0
          since = runtime.monotonic()
        } else if (runtime.monotonic() - since > patience)
          throw new AlluxioError(
            'UNAVAILABLE',
            `no Mesos master takes the framework for ${patience} ms: ${error.message}`,
          )
        log.warn('not subscribed', { error: error.message })
        // The master says itself who leads.
        const { masters } = this.#options
        if (error.reason !== 'REDIRECTED') this.#leader = masters[attempt % masters.length]!
      }
      const pause = backoffMs(runtime, attempt, RETRY_BASE_MS, RETRY_CAP_MS)
      await sleep(runtime, pause, signal).catch(() => {})
    }
  }

  /** @throws UNAVAILABLE when there is no subscription, or the master did not take it; INVALID_ARGUMENT */
  async call(call: SchedulerCall): Promise<void> {
    if (this.#stream === undefined || this.#frameworkId === undefined)
      throw new AlluxioError('UNAVAILABLE', `${call.type}: not subscribed`)
    const body = { framework_id: { value: this.#frameworkId }, ...call }
    const { status, text } = await this.#post(SCHEDULER_PATH, body, { 'mesos-stream-id': this.#stream })
    if (status < 200 || status > 299) throw refusal(call.type, status, text)
  }

  /** Ends the framework and all of its tasks. @throws as `call` */
  async teardown(): Promise<void> {
    this.#ended = true
    await this.call({ type: 'TEARDOWN' })
  }

  /** All agents as the master knows them. @throws UNAVAILABLE, PERMISSION_DENIED */
  async agents(): Promise<readonly KnownAgent[]> {
    const { status, text } = await this.#post(OPERATOR_PATH, { type: 'GET_AGENTS' }, {})
    if (status !== 200) throw refusal('GET_AGENTS', status, text)
    const answer = JSON.parse(text) as { get_agents?: { agents?: readonly KnownAgent[] } }
    return answer.get_agents?.agents ?? []
  }

  /** Resolves when the stream has ended. */
  async #subscribed(signal: AbortSignal): Promise<void> {
    const call = {
      type: 'SUBSCRIBE',
      subscribe: this.#m.subscribe(),
      ...(this.#frameworkId === undefined ? {} : { framework_id: { value: this.#frameworkId } }),
    }
    const response = await this.#send(SCHEDULER_PATH, call, {}, signal)
    const { statusCode: status = 0, headers } = response
    if (REDIRECTS.includes(status) && headers.location !== undefined) {
      response.resume()
      this.#leader = new URL(headers.location, this.#leader)
      throw new AlluxioError('UNAVAILABLE', `${this.#leader.host} leads`, { reason: 'REDIRECTED' })
    }
    if (status !== 200) throw refusal('SUBSCRIBE', status, await textOf(response))
    this.#stream = headers['mesos-stream-id'] as string | undefined
    try {
      await this.#events(response, signal)
    } finally {
      this.#stream = undefined
    }
  }

  #events(response: IncomingMessage, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#m
    const reader = new RecordReader()
    return new Promise((resolve, reject) => {
      let cancel = () => {}
      const end = (error?: unknown) => {
        cancel()
        signal.removeEventListener('abort', stop)
        response.destroy()
        if (error === undefined) resolve()
        else reject(error)
      }
      const stop = () => end()
      let beatMs = HEARTBEAT_MS
      const watch = () => {
        cancel()
        cancel = runtime.after(beatMs * MISSED, () => end(broke('the master fell silent')))
      }
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) return stop()
      watch()
      response.on('data', (chunk: Buffer) => {
        watch()
        try {
          for (const record of reader.push(chunk)) {
            const event = JSON.parse(record.toString('utf8')) as SchedulerEvent
            if (event.type === 'SUBSCRIBED') {
              beatMs = 1000 * (event.subscribed.heartbeat_interval_seconds ?? HEARTBEAT_MS / 1000)
              this.#frameworkId = event.subscribed.framework_id.value
            } else if (event.type === 'ERROR') throw removed(event.error.message)
            this.#m.onEvent(event)
          }
        } catch (error) {
          end(isAlluxioError(error) ? error : broke(`an event cannot be read: ${(error as Error).message}`))
        }
      })
      response.on('end', () => end(broke('the master ended the stream')))
      response.on('error', (error) => end(broke(error.message)))
    })
  }

  async #post(path: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const abort = new AbortController()
    const cancel = this.#m.runtime.after(CALL_MS, () => abort.abort())
    try {
      const response = await this.#send(path, body, headers, abort.signal)
      return { status: response.statusCode ?? 0, text: await textOf(response) }
    } finally {
      cancel()
    }
  }

  #send(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const bytes = Buffer.from(JSON.stringify(body))
    const { authorization } = this.#options
    return new Promise((resolve, reject) => {
      const send = this.#leader.protocol === 'https:' ? httpsRequest : httpRequest
      const options = {
        method: 'POST',
        signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': bytes.length,
          ...headers,
          ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
        },
      }
      const request = send(new URL(path, this.#leader), options, resolve)
      request.on('error', (error) =>
        reject(new AlluxioError('UNAVAILABLE', `Mesos master ${this.#leader.host}: ${error.message}`)),
      )
      request.end(bytes)
    })
  }
}

function textOf(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES)
        response.destroy(new AlluxioError('UNAVAILABLE', 'the answer is too long'))
      else chunks.push(chunk)
    })
    response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    response.on('error', (error) => reject(new AlluxioError('UNAVAILABLE', `Mesos master: ${error.message}`)))
  })
}

function refusal(type: string, status: number, text: string): AlluxioError {
  const code =
    status === 400
      ? 'INVALID_ARGUMENT'
      : status === 401
        ? 'UNAUTHENTICATED'
        : status === 403
          ? 'PERMISSION_DENIED'
          : 'UNAVAILABLE'
  return new AlluxioError(code, `Mesos refuses ${type} with ${status}: ${text.slice(0, 500)}`)
}

function broke(why: string): AlluxioError {
  return new AlluxioError('UNAVAILABLE', why, { reason: 'STREAM_BROKE' })
}

function removed(message: string): AlluxioError {
  return new AlluxioError('CONFLICT', `Mesos ended the framework: ${message}`, {
    reason: 'FRAMEWORK_REMOVED',
  })
}
