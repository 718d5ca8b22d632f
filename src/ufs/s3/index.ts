/**
 * The S3 store. Owns the mapping of a tree onto keys, uploads, and the translation of the SDK's errors; the only folder that
 * knows the SDK, which is imported when the first S3 store is opened. Never retries a whole call (the layers do), never
 * keeps a secret outside a `Secret`.
 */
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { StoreModules, UfsFactory } from '../registry.ts'
import { setting } from '../settings.ts'
import { connect } from './client.ts'
import { CLOUDS, type Cloud, cloudOptions } from './clouds.ts'
import { S3Store } from './s3-store.ts'

export { S3Store } from './s3-store.ts'

/** Letters, digits, dots, hyphens (and underscores of old buckets), 3 to 63 of them. */
const BUCKET = /^[a-zA-Z0-9][a-zA-Z0-9._-]{1,61}[a-zA-Z0-9]$/

export const s3Factory: UfsFactory = {
  schemes: ['s3', 's3a', 's3n', ...Object.keys(CLOUDS)],
  async open(uri, given, outer) {
    const cloud = CLOUDS[uri.scheme]
    const options = cloud === undefined ? given : cloudOptions(cloud, given)
    const modules = cloud === undefined ? outer : { ...outer, secret: named(cloud, outer) }
    if (!BUCKET.test(uri.authority)) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        uri.authority === ''
          ? `"${uri.text}" names no bucket: write s3://bucket/folder`
          : `"${uri.authority}" is no name of a bucket: 3 to 63 letters, digits, dots and hyphens, as in s3://bucket/folder; the server is named by ${OPTIONS.UFS_S3_ENDPOINT.key}`,
        { reason: 'INVALID_UFS_URI' },
      )
    }
    const connection = await connect(uri.authority, options, modules, cloud)
    return new S3Store(
      {
        prefix: uri.path,
        leastPartBytes: setting(options, OPTIONS.UFS_S3_PART_SIZE)!,
        uploads: setting(options, OPTIONS.UFS_S3_UPLOADS)!,
      },
      connection,
      modules,
    )
  },
}

/** Secrets under the names of the cloud's own options. */
function named(cloud: Cloud, { secret }: StoreModules): StoreModules['secret'] {
  const names: Readonly<Record<string, string>> = {
    [OPTIONS.UFS_S3_ACCESS_KEY.key]: cloud.accessKey.key,
    [OPTIONS.UFS_S3_SECRET_KEY.key]: cloud.secretKey.key,
    ...(cloud.token === undefined ? {} : { [OPTIONS.UFS_S3_SESSION_TOKEN.key]: cloud.token.key }),
  }
  return (key, text) => secret(names[key] ?? key, text)
}
