/** Which storage account a mount means, where its blob service is, and by what it is known there. */
import { AlluxioError, type Secret } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { StoreModules, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import type { UfsUri } from '../uri.ts'

export interface Account {
  readonly name: string
  /** Of the blob service, without a slash at the end of its path. */
  readonly endpoint: URL
  /** Base64. Neither key nor `sas`: anonymous. */
  readonly key?: Secret
  /** `sv=…&sig=…`, without a question mark. */
  readonly sas?: Secret
}

/** @throws INVALID_ARGUMENT for an account, endpoint or connection string that is missing or malformed */
export function accountOf(uri: UfsUri, options: UfsOptions, modules: StoreModules): Account {
  const connection = setting(options, OPTIONS.UFS_AZURE_CONNECTION)!
  if (connection !== '') return connected(uri, connection, modules)
  const host = uri.authority.split('@')[1] ?? ''
  const name = setting(options, OPTIONS.UFS_AZURE_ACCOUNT) || host.split('.')[0]!
  if (name === '') {
    throw invalid(
      `"${uri.text}" names no storage account: write ${uri.scheme}://container@account.blob.core.windows.net/folder, or set ${OPTIONS.UFS_AZURE_ACCOUNT.key}`,
    )
  }
  const secure = uri.scheme.endsWith('s')
  const given = setting(options, OPTIONS.UFS_AZURE_ENDPOINT)!
  // The same account answers at both hosts; this store speaks the protocol of the first.
  const blobHost = host === '' ? `${name}.blob.core.windows.net` : host.replace('.dfs.', '.blob.')
  const endpoint = endpointOf(given === '' ? `${secure ? 'https' : 'http'}://${blobHost}` : given)
  const key = setting(options, OPTIONS.UFS_AZURE_KEY)!
  const sas = setting(options, OPTIONS.UFS_AZURE_SAS)!
  return {
    name,
    endpoint,
    ...(key === '' ? {} : { key: checkedKey(modules.secret(OPTIONS.UFS_AZURE_KEY.key, key)) }),
    ...(sas === '' ? {} : { sas: modules.secret(OPTIONS.UFS_AZURE_SAS.key, sas) }),
  }
}

function connected(uri: UfsUri, reference: string, modules: StoreModules): Account {
  const { key: optionKey } = OPTIONS.UFS_AZURE_CONNECTION
  const parts = new Map<string, string>()
  for (const part of modules.secret(optionKey, reference).reveal().split(';')) {
    const at = part.indexOf('=')
    if (at > 0) parts.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim())
  }
  const name = parts.get('accountname') ?? uri.authority.split('@')[1]?.split('.')[0] ?? ''
  const protocol = parts.get('defaultendpointsprotocol') ?? 'https'
  const suffix = parts.get('endpointsuffix') ?? 'core.windows.net'
  const blobs = parts.get('blobendpoint')
  if (name === '' && blobs === undefined)
    throw invalid(`${optionKey} has neither AccountName nor BlobEndpoint`)
  const key = parts.get('accountkey')
  const sas = parts.get('sharedaccesssignature')
  return {
    name,
    endpoint: endpointOf(blobs ?? `${protocol}://${name}.blob.${suffix}`),
    ...(key === undefined ? {} : { key: checkedKey(modules.secret(optionKey, key)) }),
    ...(sas === undefined ? {} : { sas: modules.secret(optionKey, sas) }),
  }
}

function checkedKey(key: Secret): Secret {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key.reveal().trim())) return key
  throw invalid(`${OPTIONS.UFS_AZURE_KEY.key}: the key of a storage account is base64 text`)
}

function endpointOf(text: string): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid(
      `${OPTIONS.UFS_AZURE_ENDPOINT.key}: "${text}" is no URL: write for example http://127.0.0.1:10000/devstoreaccount1`,
    )
  }
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

function invalid(message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_UFS_OPTION' })
}
