/** Which NameNodes an URI means, as addresses of their HTTP servers. */
import { readFile } from 'node:fs/promises'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import type { UfsUri } from '../uri.ts'
import { parseSite, type Site } from './site-xml.ts'
import type { Endpoint } from './transport.ts'

export interface NameNodeAddress extends Endpoint {
  /** Path of the interface: `/webhdfs/v1`, behind what a gateway puts before it. */
  readonly prefix: string
  /** For messages: `http://host:9870`. */
  readonly text: string
}

const HTTPS_PORT = 9871

/**
 * In this order: the addresses that the options list; those that Hadoop's configuration files give for the name service or
 * NameNode of the URI; the URI's host, with its port for `webhdfs:` and the HTTP port of the options for `hdfs:`.
 * @throws INVALID_ARGUMENT
 */
export async function nameNodesOf(uri: UfsUri, options: UfsOptions): Promise<readonly NameNodeAddress[]> {
  const site = await siteOf(options)
  const secure = uri.scheme === 'swebhdfs' || site.get('dfs.http.policy') === 'HTTPS_ONLY'
  const port = secure ? HTTPS_PORT : setting(options, OPTIONS.UFS_HDFS_HTTP_PORT)!
  const listed = setting(options, OPTIONS.UFS_HDFS_NAMENODES)!
  if (listed.length > 0) return listed.map((text) => address(text, secure, port))
  const authority = uri.authority === '' ? defaultAuthority(site) : uri.authority
  if (authority === '') {
    throw invalid(
      `"${uri.text}" names no NameNode: write hdfs://host/folder, or name the HTTP addresses by ${OPTIONS.UFS_HDFS_NAMENODES.key}, or Hadoop's files by ${OPTIONS.UFS_HDFS_CONFIGURATION.key}`,
    )
  }
  const configured = fromSite(site, authority, secure)
  if (configured.length > 0) return configured.map((text) => address(text, secure, port))
  // The port of an hdfs: URI is that of the RPC server.
  return [address(uri.scheme === 'hdfs' ? hostOf(authority) : authority, secure, port)]
}

function fromSite(site: Site, authority: string, secure: boolean): string[] {
  const key = secure ? 'dfs.namenode.https-address' : 'dfs.namenode.http-address'
  const ids = site.get(`dfs.ha.namenodes.${authority}`)
  if (ids !== undefined) {
    return ids
      .split(',')
      .map((id) => id.trim())
      .filter((id) => id !== '')
      .map((id) => {
        const rpc = site.get(`dfs.namenode.rpc-address.${authority}.${id}`)
        const http = site.get(`${key}.${authority}.${id}`) ?? (rpc === undefined ? undefined : hostOf(rpc))
        if (http !== undefined) return reachable(http, rpc)
        throw invalid(
          `${OPTIONS.UFS_HDFS_CONFIGURATION.key} has NameNode ${id} of ${authority} but neither ${key}.${authority}.${id} nor its rpc-address`,
        )
      })
  }
  const http = site.get(key)
  const own = [site.get('dfs.namenode.rpc-address'), defaultAuthority(site)].includes(authority)
  return http !== undefined && own ? [reachable(http, authority)] : []
}

/** A server that listens everywhere is reached at the host of its RPC address. */
function reachable(http: string, rpc: string | undefined): string {
  return rpc === undefined ? http : http.replace(/^0\.0\.0\.0(?=:|$)/, hostOf(rpc))
}

function defaultAuthority(site: Site): string {
  return /^(?:hdfs|s?webhdfs):\/\/([^/]+)/.exec(site.get('fs.defaultFS') ?? '')?.[1] ?? ''
}

async function siteOf(options: UfsOptions): Promise<Site> {
  const files = setting(options, OPTIONS.UFS_HDFS_CONFIGURATION)!.split(':')
  const texts: string[] = []
  for (const file of files.filter((name) => name !== '')) {
    try {
      texts.push(await readFile(file, 'utf8'))
    } catch (error) {
      throw invalid(fromErrno(error, OPTIONS.UFS_HDFS_CONFIGURATION.key, file).message)
    }
  }
  return parseSite(texts)
}

function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, '')
}

function address(text: string, secureByDefault: boolean, defaultPort: number): NameNodeAddress {
  const given = /^https?:\/\//.test(text) ? text : `${secureByDefault ? 'https' : 'http'}://${text}`
  const url = URL.parse(given)
  if (url === null || url.hostname === '' || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw invalid(`"${text}" is no address of a NameNode: write for example http://namenode:9870`)
  }
  const secure = url.protocol === 'https:'
  const explicit = /:(\d+)$/.exec(given.replace(/^(https?:\/\/[^/]*).*$/, '$1'))?.[1]
  const port = explicit === undefined ? (secure ? HTTPS_PORT : defaultPort) : Number(explicit)
  const path = url.pathname.replace(/\/+$/, '')
  return {
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    prefix: path.endsWith('/webhdfs/v1') ? path : `${path}/webhdfs/v1`,
    text: `${secure ? 'https' : 'http'}://${url.hostname}:${port}`,
  }
}

function invalid(message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_UFS_OPTION' })
}
