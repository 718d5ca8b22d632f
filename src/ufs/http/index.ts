/**
 * Web servers, read only. Owns the reading of index pages as directories and of files with HEAD and ranges; `errors.ts` also
 * serves other stores that speak HTTP. Never writes: what would is refused. Never follows a link out of the root.
 */
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import { HttpHandler } from '../http-transport/http-handler.ts'
import type { StoreModules, UfsFactory, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import type { UfsUri } from '../uri.ts'
import { HttpStore } from './http-store.ts'
import { WebClient } from './web-client.ts'

export const httpFactory: UfsFactory = {
  schemes: ['http', 'https'],
  async open(uri, options, modules) {
    const root = rootOf(uri)
    const handler = new HttpHandler(
      {
        connections: setting(options, OPTIONS.UFS_HTTP_CONNECTIONS)!,
        stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
      },
      modules,
    )
    const client = new WebClient(
      { root, authorization: authorization(options, modules) },
      { handler, onApiCall: modules.onApiCall },
    )
    const titles = setting(options, OPTIONS.UFS_WEB_TITLES)!
    const pageBytes = setting(options, OPTIONS.UFS_HTTP_INDEX_BYTES)!
    return new HttpStore({ scheme: uri.scheme, titles, pageBytes }, client)
  },
}

function rootOf({ scheme, authority, path, text }: UfsUri): URL {
  const url = URL.parse(`${scheme}://${authority}/${path === '' ? '' : `${path}/`}`)
  if (authority === '' || url === null || url.search !== '' || url.hash !== '') {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `"${text}" is no address of a folder on a web server: write http://host/folder, with %3F for ? and %23 for # in names`,
      { reason: 'INVALID_UFS_URI' },
    )
  }
  return url
}

function authorization(options: UfsOptions, modules: StoreModules): () => string {
  const user = setting(options, OPTIONS.UFS_HTTP_USER)!
  const password = setting(options, OPTIONS.UFS_HTTP_PASSWORD)!
  const token = setting(options, OPTIONS.UFS_HTTP_TOKEN)!
  if (token !== '' && user !== '') {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${OPTIONS.UFS_HTTP_TOKEN.key} and ${OPTIONS.UFS_HTTP_USER.key}: give one of the two`,
      { reason: 'INVALID_UFS_OPTION' },
    )
  }
  if (token !== '') {
    const secret = modules.secret(OPTIONS.UFS_HTTP_TOKEN.key, token)
    return () => `Bearer ${secret.reveal()}`
  }
  if (user === '') return () => ''
  const secret = password === '' ? undefined : modules.secret(OPTIONS.UFS_HTTP_PASSWORD.key, password)
  return () => `Basic ${Buffer.from(`${user}:${secret?.reveal() ?? ''}`).toString('base64')}`
}
