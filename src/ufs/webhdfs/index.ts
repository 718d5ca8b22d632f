/**
 * The HDFS store. Owns the two-step calls of WebHDFS, the choice of the active NameNode, delegation tokens, and the translation of
 * Hadoop's exceptions. Never retries a whole call (the layers do), never speaks Hadoop's RPC, never keeps a token outside a `Secret`. The only
 * folder that knows the npm package `webhdfs`; what it is used for and what not stands in `docs/decisions/`.
 */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { StoreModules, UfsFactory, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import { nameNodesOf } from './addresses.ts'
import { DelegationToken } from './delegation-token.ts'
import { NameNodes } from './name-nodes.ts'
import { Transport } from './transport.ts'
import { WebHdfsStore } from './webhdfs-store.ts'

export const webHdfsFactory: UfsFactory = {
  schemes: ['hdfs', 'webhdfs', 'swebhdfs'],
  async open(uri, options, modules) {
    const addresses = await nameNodesOf(uri, options)
    const ca = await certificates(options)
    const transport = new Transport(
      {
        connections: setting(options, OPTIONS.UFS_HDFS_CONNECTIONS)!,
        stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
        ...(ca === undefined ? {} : { ca }),
      },
      modules,
    )
    const user = setting(options, OPTIONS.UFS_HDFS_USER) || userInfo().username
    const nodes = new NameNodes({ addresses, user }, { transport, onApiCall: modules.onApiCall })
    authenticate(nodes, options, modules)
    const temporaryAgeMs = setting(options, OPTIONS.UFS_TEMPORARY_AGE)!
    return new WebHdfsStore({ root: uri.path, temporaryAgeMs }, { ...modules, nodes })
  },
}

function authenticate(nodes: NameNodes, options: UfsOptions, modules: StoreModules): void {
  const reference = setting(options, OPTIONS.UFS_HDFS_TOKEN)!
  if (reference === '') return
  nodes.authenticate(
    new DelegationToken({
      runtime: modules.runtime,
      log: modules.log,
      read: () => modules.secret(OPTIONS.UFS_HDFS_TOKEN.key, reference),
      renew: (token) => nodes.renew(token),
    }),
  )
}

async function certificates(options: UfsOptions): Promise<string | undefined> {
  const file = setting(options, OPTIONS.UFS_HDFS_CA)!
  if (file === '') return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new AlluxioError('INVALID_ARGUMENT', fromErrno(error, OPTIONS.UFS_HDFS_CA.key, file).message, {
      reason: 'INVALID_UFS_OPTION',
      cause: error,
    })
  }
}
