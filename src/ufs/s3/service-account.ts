/**
 * Access tokens for a service account of Google's, by the key file that its console gives out: a signed statement is changed
 * for a token that lasts an hour (RFC 7523; https://developers.google.com/identity/protocols/oauth2/service-account).
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { AlluxioError, type Runtime } from '../../core/index.ts'
import { refused, unreachable } from '../http/errors.ts'
import type { HttpHandler } from '../http-transport/http-handler.ts'

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'
const LIFE_S = 3600
/** A token is renewed so long before its end. */
const MARGIN_MS = 300_000

interface KeyFile {
  readonly email: string
  readonly key: KeyObject
  readonly tokenUri: URL
}

export interface ServiceAccountModules {
  readonly handler: Pick<HttpHandler, 'handle'>
  readonly runtime: Pick<Runtime, 'now'>
}

export class ServiceAccount {
  readonly #file: KeyFile
  readonly #m: ServiceAccountModules
  #token: Promise<string> | undefined
  #renewMs = 0

  /** @throws INVALID_ARGUMENT naming `option` when the file is no key of a service account */
  constructor(options: { readonly path: string; readonly option: string }, modules: ServiceAccountModules) {
    this.#file = keyFile(options.path, options.option)
    this.#m = modules
  }

  /** @throws UNAUTHENTICATED, UNAVAILABLE */
  token(): Promise<string> {
    if (this.#token !== undefined && this.#m.runtime.now() < this.#renewMs) return this.#token
    const asked = this.#ask()
    this.#renewMs = Number.POSITIVE_INFINITY
    this.#token = asked
    asked.catch(() => {
      if (this.#token === asked) this.#token = undefined
    })
    return asked
  }

  async #ask(): Promise<string> {
    const { tokenUri } = this.#file
    const what = `token ${this.#file.email}`
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: this.#statement(),
    }).toString()
    const request = {
      protocol: tokenUri.protocol,
      hostname: tokenUri.hostname,
      ...(tokenUri.port === '' ? {} : { port: Number(tokenUri.port) }),
      method: 'POST',
      path: tokenUri.pathname,
      headers: {
        host: tokenUri.host,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(form.length),
      },
      body: form,
    }
    let text = ''
    let answer: Awaited<ReturnType<HttpHandler['handle']>>['response']
    try {
      answer = (await this.#m.handler.handle(request)).response
      for await (const chunk of answer.body) text += String(chunk)
    } catch (error) {
      throw unreachable(error, what, tokenUri.href, 'token_uri in the key file', undefined)
    }
    const { statusCode: status, headers } = answer
    const said = parsed(text)
    if (status === 200 && typeof said.access_token === 'string') {
      this.#renewMs = this.#m.runtime.now() + Number(said.expires_in ?? LIFE_S) * 1000 - MARGIN_MS
      return said.access_token
    }
    const advice = "make a new key for the service account, and correct this host's clock if it is wrong"
    const final = status >= 400 && status < 500 && status !== 429
    throw refused({
      what,
      place: tokenUri.href,
      status,
      headers,
      said: `${said.error ?? ''} ${said.error_description ?? ''}`.trim(),
      meaning: final ? { code: 'UNAUTHENTICATED', advice } : { code: 'UNAVAILABLE' },
    })
  }

  #statement(): string {
    const { email, key, tokenUri } = this.#file
    const now = Math.floor(this.#m.runtime.now() / 1000)
    const claims = { iss: email, scope: SCOPE, aud: tokenUri.href, iat: now, exp: now + LIFE_S }
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
}

function keyFile(path: string, option: string): KeyFile {
  try {
    const { client_email: email, private_key: pem, token_uri: uri } = parsed(readFileSync(path, 'utf8'))
    const tokenUri = new URL(String(uri ?? 'https://oauth2.googleapis.com/token'))
    if (typeof email === 'string') return { email, key: createPrivateKey(String(pem)), tokenUri }
  } catch {
    // What it says may be of the key itself.
  }
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `${option}: ${path} is no key file of a service account (JSON with client_email and private_key), or cannot be read`,
    { reason: 'INVALID_UFS_OPTION' },
  )
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
