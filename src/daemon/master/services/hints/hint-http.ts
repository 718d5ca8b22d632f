/** Hints as JSON over HTTP: `POST /api/v1/hints/{locate,rank,assign}`. Bodies are bounded in size and time; all errors are JSON. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Static, Type as T } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { AlluxioError, ERROR_CODES, type Log, type Runtime, toAlluxioError } from '../../../../core/index.ts'
import { Users } from '../../../../gateway/index.ts'
import type { Caller, Settled } from '../../../../namespace/index.ts'
import { AssignRequest, HintRequest } from '../../../../rpc/index.ts'
import type { Adapters } from '../../../../scheduler/index.ts'
import type { Callers } from '../callers.ts'
import type { Changes } from './changes.ts'
import { type HintService, whenSettled } from './hint-service.ts'
import { JsonAnswers } from './json-answers.ts'

export interface HintHttpModules {
  readonly service: HintService
  readonly changes: Changes
  readonly adapters: Adapters
  readonly callers: Callers
  readonly runtime: Runtime
  readonly log: Log
}

const PREFIX = '/api/v1/hints/'
const MAX_BODY_BYTES = 32 * 2 ** 20
/** Longest that a body may take to arrive, ms. */
const BODY_MS = 15_000
const LOOK_MS = 1_000
/** As HDFS calls who does not say who he is. */
const NOBODY = 'dr.who'

const closed = { additionalProperties: false } as const
/** `for`: the engine in whose form the answer is wanted. `engine`: what its adapter needs to know besides. */
const Adapted = {
  for: T.Optional(T.String({ maxLength: 64 })),
  engine: T.Optional(T.Record(T.String(), T.Unknown())),
}
const Asked = T.Object({ ...HintRequest.properties, ...Adapted }, closed)
const Planned = T.Object(AssignRequest.properties, closed)
const CHECKS = {
  locate: TypeCompiler.Compile(Asked),
  rank: TypeCompiler.Compile(Asked),
  assign: TypeCompiler.Compile(Planned),
}

/** Of a compiled schema. */
interface Checker {
  Check(value: unknown): boolean
  Errors(value: unknown): { First(): { readonly path: string; readonly message: string } | undefined }
}

interface Body {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly chunks: Buffer[]
  bytes: number
  readonly sinceMs: number
}

export class HintHttp {
  readonly #m: HintHttpModules
  /** On their way, the oldest first. */
  readonly #bodies = new Set<Body>()
  #watching = false
  /** The last one: most requests in a row are of one user. */
  #lastUrl = ''
  #lastUser = NOBODY

  constructor(modules: HintHttpModules) {
    this.#m = modules
  }

  /** False for a path that is not its own. */
  readonly route = (request: IncomingMessage, response: ServerResponse, path: string): boolean => {
    if (!path.startsWith(PREFIX)) return false
    const operation = path.slice(PREFIX.length)
    if (!Object.hasOwn(CHECKS, operation)) {
      this.#fail(
        response,
        new AlluxioError('NOT_FOUND', `${path} is nothing: there are locate, rank and assign`),
      )
    } else if (request.method !== 'POST') {
      response.setHeader('allow', 'POST')
      this.#fail(
        response,
        new AlluxioError('UNSUPPORTED', `${path} takes POST only`, { reason: 'METHOD' }),
        405,
      )
    } else this.#read(request, response, operation as keyof typeof CHECKS)
    return true
  }

  #read(request: IncomingMessage, response: ServerResponse, operation: keyof typeof CHECKS): void {
    const body: Body = { request, response, chunks: [], bytes: 0, sinceMs: this.#m.runtime.monotonic() }
    this.#bodies.add(body)
    this.#watch()
    request.on('data', (chunk: Buffer) => {
      body.bytes += chunk.length
      if (body.bytes > MAX_BODY_BYTES) this.#refuse(body, tooLong())
      else body.chunks.push(chunk)
    })
    request.on('error', ignore)
    request.on('end', () => {
      this.#bodies.delete(body)
      const { chunks } = body
      this.#serve(request, response, operation, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
  }

  #refuse(body: Body, error: AlluxioError): void {
    const { request, response } = body
    this.#bodies.delete(body)
    request.removeAllListeners('data').removeAllListeners('end')
    response.setHeader('connection', 'close')
    this.#fail(response, error)
  }

  /** Looks now and then for bodies that do not arrive: a timer for each would cost more than it is worth. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    const { runtime } = this.#m
    runtime.after(
      LOOK_MS,
      () => {
        this.#watching = false
        const latest = runtime.monotonic() - BODY_MS
        // The oldest come first.
        for (const body of this.#bodies) {
          if (body.request.destroyed) this.#bodies.delete(body)
          else if (body.sinceMs > latest) break
          else this.#refuse(body, tooSlow())
        }
        if (this.#bodies.size > 0) this.#watch()
      },
      true,
    )
  }

  #serve(
    request: IncomingMessage,
    response: ServerResponse,
    operation: keyof typeof CHECKS,
    body: Buffer,
  ): void {
    try {
      const settled = this.#answer(operation, parse(body), this.#callerOf(request))
      if (settled instanceof Promise) {
        settled.then((answer) => this.#send(response, answer)).catch((error) => this.#fail(response, error))
      } else this.#send(response, settled)
    } catch (error) {
      this.#fail(response, error)
    }
  }

  /** The text of the answer. */
  #answer(operation: keyof typeof CHECKS, value: unknown, caller: Caller): Settled<string> {
    const { service, adapters } = this.#m
    if (operation === 'assign') {
      check(CHECKS.assign, value)
      return service.plan(value as Static<typeof Planned>, caller).then((plan) => JSON.stringify(plan))
    }
    check(CHECKS[operation], value)
    const asked = value as Static<typeof Asked>
    if (asked.for !== undefined) {
      const adapter = adapters.of(asked.for)
      const { engine = {} } = asked
      return whenSettled(service.answer(asked, caller), (hints) =>
        JSON.stringify(adapter.adapt(hints, engine)),
      )
    }
    const json = new JsonAnswers()
    return whenSettled(service.each(asked, caller, json), () => json.end())
  }

  /** The name is trusted as it is over RPC (authentication type SIMPLE). @throws INVALID_ARGUMENT */
  #callerOf({ url = '' }: IncomingMessage): Caller {
    if (url !== this.#lastUrl) {
      const query = url.indexOf('?')
      const user = query < 0 ? NOBODY : (new URLSearchParams(url.slice(query)).get('user.name') ?? NOBODY)
      if (!Users.isName(user)) throw new AlluxioError('INVALID_ARGUMENT', 'user.name is no name of a user')
      this.#lastUser = user
      this.#lastUrl = url
    }
    return this.#m.callers.of(this.#lastUser)
  }

  #send(response: ServerResponse, body: string): void {
    const { epoch, sequence } = this.#m.changes
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-alluxio-epoch': epoch,
      'x-alluxio-sequence': sequence,
    })
    response.end(body)
  }

  #fail(response: ServerResponse, thrown: unknown, status?: number): void {
    const { code, reason = code, message } = toAlluxioError(thrown)
    if (code === 'INTERNAL') this.#m.log.error('hints over HTTP', { error: thrown })
    if (response.headersSent) {
      response.destroy()
      return
    }
    const body = JSON.stringify({ code, reason, message })
    response.writeHead(status ?? ERROR_CODES[code].http, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-content-type-options': 'nosniff',
    })
    response.end(body)
  }
}

/** Who hung up hears nothing. */
function ignore(): void {}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `the body is no JSON: ${(error as Error).message.slice(0, 200)}`,
      {
        reason: 'NOT_JSON',
      },
    )
  }
}

function check(checker: Checker, value: unknown): void {
  if (checker.Check(value)) return
  const first = checker.Errors(value).First()
  const where =
    first === undefined || first.path === '' ? 'the body' : first.path.slice(1).replaceAll('/', '.')
  throw new AlluxioError('INVALID_ARGUMENT', `${where}: ${first?.message ?? 'is not as it has to be'}`, {
    reason: 'SCHEMA',
  })
}

function tooLong(): AlluxioError {
  return new AlluxioError(
    'INVALID_ARGUMENT',
    `the body is longer than ${MAX_BODY_BYTES} bytes: ask in several requests`,
    {
      reason: 'BODY_TOO_LONG',
    },
  )
}

function tooSlow(): AlluxioError {
  return new AlluxioError('TIMEOUT', `the body did not arrive within ${BODY_MS / 1000} s`, {
    reason: 'BODY_TOO_SLOW',
  })
}
