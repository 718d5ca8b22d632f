/**
 * The Swift store. Owns the mapping of a tree onto a container, tokens of TempAuth and Keystone, large objects, and the
 * translation of the server's refusals. Never retries a whole call (the layers do), never deletes segments that are not a
 * manifest's own, never keeps a secret outside a `Secret`. Read on in `swift-store.ts`, `large-objects.ts`, `session.ts`.
 */
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import { HttpHandler } from '../http-transport/http-handler.ts'
import type { StoreModules, UfsFactory, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import { SwiftConnection } from './client.ts'
import { type Credentials, Session } from './session.ts'
import { SwiftStore } from './swift-store.ts'

export const swiftFactory: UfsFactory = {
  schemes: ['swift'],
  async open(uri, options, modules) {
    const container = containerOf(uri.authority, setting(options, OPTIONS.UFS_SWIFT_PROVIDER)!)
    if (container === '')
      throw invalid(`"${uri.text}" names no container: write swift://container/folder`, 'INVALID_UFS_URI')
    const { runtime, onApiCall } = modules
    const handler = new HttpHandler(
      {
        connections: setting(options, OPTIONS.UFS_SWIFT_CONNECTIONS)!,
        stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
      },
      { runtime },
    )
    const session = new Session(
      {
        authUrl: urlOf(OPTIONS.UFS_SWIFT_AUTH_URL.key, setting(options, OPTIONS.UFS_SWIFT_AUTH_URL)!),
        credentials: credentialsOf(options, modules),
        region: setting(options, OPTIONS.UFS_SWIFT_REGION)!,
        interface: setting(options, OPTIONS.UFS_SWIFT_INTERFACE)!,
        storageUrl: storageUrlOf(options),
      },
      { handler, onApiCall },
    )
    const segmentContainer = setting(options, OPTIONS.UFS_SWIFT_SEGMENT_CONTAINER) || `${container}_segments`
    return new SwiftStore(
      {
        prefix: uri.path,
        segmentBytes: setting(options, OPTIONS.UFS_SWIFT_SEGMENT_SIZE)!,
        uploads: setting(options, OPTIONS.UFS_SWIFT_UPLOADS)!,
        temporaryAgeMs: setting(options, OPTIONS.UFS_TEMPORARY_AGE)!,
        checksum: setting(options, OPTIONS.UFS_SWIFT_CHECKSUM) === 'MD5',
      },
      new SwiftConnection({ container, segmentContainer }, { handler, session, onApiCall }),
      modules,
    )
  },
}

/** `container.provider` without the provider, when it has that one. */
function containerOf(authority: string, provider: string): string {
  const suffix = `.${provider}`
  return provider !== '' && authority.endsWith(suffix) ? authority.slice(0, -suffix.length) : authority
}

function credentialsOf(options: UfsOptions, modules: StoreModules): Credentials {
  const text = (option: typeof OPTIONS.UFS_SWIFT_USER) => setting(options, option)!
  /** Read at each authentication, so that a file may change; read once here, so that a missing one shows at once. */
  const secretOf = (option: typeof OPTIONS.UFS_SWIFT_PASSWORD) => {
    const read = () => modules.secret(option.key, text(option))
    read()
    return read
  }
  const needed = (option: typeof OPTIONS.UFS_SWIFT_USER) => {
    if (text(option) === '')
      throw invalid(
        `${option.key} is missing: give it with the other options of the mount`,
        'INVALID_UFS_OPTION',
      )
    return text(option)
  }
  const method = setting(options, OPTIONS.UFS_SWIFT_AUTH_METHOD)
  if (method === 'tempauth' || method === 'swiftauth') {
    const user = needed(OPTIONS.UFS_SWIFT_USER)
    needed(OPTIONS.UFS_SWIFT_PASSWORD)
    const tenant = text(OPTIONS.UFS_SWIFT_TENANT)
    return {
      kind: 'v1',
      user: tenant === '' ? user : `${tenant}:${user}`,
      password: secretOf(OPTIONS.UFS_SWIFT_PASSWORD),
    }
  }
  const id = text(OPTIONS.UFS_SWIFT_CREDENTIAL_ID)
  if (id !== '') {
    needed(OPTIONS.UFS_SWIFT_CREDENTIAL_SECRET)
    return { kind: 'application', id, secret: secretOf(OPTIONS.UFS_SWIFT_CREDENTIAL_SECRET) }
  }
  needed(OPTIONS.UFS_SWIFT_PASSWORD)
  return {
    kind: 'password',
    user: needed(OPTIONS.UFS_SWIFT_USER),
    userDomain: text(OPTIONS.UFS_SWIFT_USER_DOMAIN),
    project: needed(OPTIONS.UFS_SWIFT_TENANT),
    projectDomain: text(OPTIONS.UFS_SWIFT_PROJECT_DOMAIN),
    password: secretOf(OPTIONS.UFS_SWIFT_PASSWORD),
  }
}

function storageUrlOf(options: UfsOptions): URL | undefined {
  const text = setting(options, OPTIONS.UFS_SWIFT_STORAGE_URL)!
  return text === '' ? undefined : urlOf(OPTIONS.UFS_SWIFT_STORAGE_URL.key, text)
}

function urlOf(key: string, text: string): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid(
      `${key}: "${text}" is no URL: write for example http://127.0.0.1:8080/auth/v1.0`,
      'INVALID_UFS_OPTION',
    )
  }
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

function invalid(message: string, reason: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason })
}
