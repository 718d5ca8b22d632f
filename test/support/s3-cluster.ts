/** A cluster for a test file's life, beside an S3 server that counts its calls 20 ms away and a MinIO, as far as they can be had. */
import { afterAll, beforeAll } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { silentLog, systemRuntime } from '../../src/core/index.ts'
import { openStore, type UnderStore } from '../../src/ufs/index.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import {
  type Availability,
  ifAvailable,
  type S3LatencyServer,
  type S3Server,
  startMinio,
  startS3Latency,
} from './servers/index.ts'

export class S3Cluster {
  readonly counting: Availability<S3LatencyServer>
  readonly minio: Availability<S3Server>
  cluster!: Cluster
  fs!: FileSystem

  private constructor(counting: Availability<S3LatencyServer>, minio: Availability<S3Server>) {
    this.counting = counting
    this.minio = minio
  }

  /** To be called at the top of a test file. */
  static async around(options: ClusterOptions): Promise<S3Cluster> {
    const made = new S3Cluster(await ifAvailable(() => startS3Latency()), await ifAvailable(startMinio))
    beforeAll(async () => {
      made.cluster = await Cluster.start(options)
      made.fs = await made.cluster.connect()
    }, 120_000)
    afterAll(async () => {
      await made.cluster?.dispose()
      await Promise.allSettled([made.counting.server?.stop(), made.minio.server?.stop()])
    })
    return made
  }

  mount(path: string, server: S3Server, prefix: string, more: Record<string, string> = {}): Promise<void> {
    return this.fs.mount(path, `s3://${server.bucket}/${prefix}`, { options: server.options(more) })
  }
}

/** What a client of the server itself sees. */
export function openBucket(server: S3Server, prefix: string): Promise<UnderStore> {
  return openStore(`s3://${server.bucket}/${prefix}`, server.options(), {
    runtime: systemRuntime,
    log: silentLog,
  })
}

/** Writes an object past the cluster. */
export async function putObject(store: UnderStore, path: string, bytes: Uint8Array): Promise<void> {
  const writer = await store.create(path)
  await writer.write(bytes)
  await writer.close()
}
