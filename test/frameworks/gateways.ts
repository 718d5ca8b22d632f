/** A cluster with gateways, and what a framework has to know to reach it. */
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, type ClusterOptions } from '../support/cluster.ts'
import { javaAndMaven } from '../support/servers/maven.ts'
import { complete } from '../support/servers/process.ts'

export interface Gateways {
  readonly cluster: Cluster
  readonly fs: FileSystem
  /** Who the frameworks are. */
  readonly user: string
  /** `scheme://authority` of each way in. */
  readonly roots: { readonly webhdfs: string; readonly alluxio: string; readonly s3a: string }
  readonly s3: { readonly endpoint: string; readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Blocks are small, so that files of a test have some. */
export async function startGateways(options: ClusterOptions = {}): Promise<Gateways> {
  const cluster = await Cluster.start({
    memory: '1GB',
    ...options,
    proxy: true,
    properties: { 'alluxio.user.block.size.bytes.default': '4MB', ...options.properties },
  })
  try {
    return {
      cluster,
      fs: await cluster.connect(),
      user: userInfo().username,
      roots: {
        webhdfs: `webhdfs://${cluster.webHdfs}`,
        alluxio: `alluxio://${cluster.webHdfs}`,
        s3a: 's3a:/',
      },
      s3: { endpoint: `http://${cluster.s3}`, ...(await credential(cluster)) },
    }
  } catch (error) {
    await cluster.dispose()
    throw error
  }
}

async function credential(cluster: Cluster) {
  const args = ['s3', 'credential', 'create', '--user', userInfo().username, '--json', ...cluster.flags]
  const printed = await complete({ binary: resolve('bin/alluxio'), args, env: cluster.env })
  return JSON.parse(printed) as { accessKeyId: string; secretAccessKey: string }
}

/** Path of the jar of `alluxio://`, built if it is not there. @throws ServerMissing without Java or Maven */
export async function hadoopJar(): Promise<string> {
  await javaAndMaven()
  await complete({ binary: resolve('bin/alluxio'), args: ['plugins', 'build'], timeoutMs: 600_000 })
  return resolve('plugins/dist/alluxio-hadoop.jar')
}
