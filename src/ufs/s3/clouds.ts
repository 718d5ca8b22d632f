/** Clouds that speak S3, or nearly: where they are, by which options they are known, and what they do otherwise. */

import type { Option } from '../../core/config/index.ts'
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import type { UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import { type Dialect, GOOG, OSS } from './dialect.ts'
import type { S3ServerKind, UploadChecksum } from './server.ts'
import { ServiceAccount, type ServiceAccountModules } from './service-account.ts'

export interface Cloud {
  readonly kind: S3ServerKind
  readonly accessKey: Option<string | undefined>
  readonly secretKey: Option<string | undefined>
  readonly token?: Option<string | undefined>
  readonly checksum: UploadChecksum
  readonly pathStyle: boolean
  readonly dialect?: Dialect
  /** Where tokens are used instead of keys. @default keys */
  bearer?(options: UfsOptions, modules: ServiceAccountModules): (() => Promise<string>) | undefined
  /** @throws INVALID_ARGUMENT when the options do not say */
  place(options: UfsOptions): { readonly endpoint: string; readonly region: string }
}

const GCS: Cloud = {
  kind: 'gcs',
  accessKey: OPTIONS.UFS_GCS_ACCESS_KEY,
  secretKey: OPTIONS.UFS_GCS_SECRET_KEY,
  checksum: 'CRC32C',
  pathStyle: true,
  dialect: GOOG,
  bearer(options, modules) {
    const { key: option } = OPTIONS.UFS_GCS_CREDENTIAL
    const path = setting(options, OPTIONS.UFS_GCS_CREDENTIAL)!
    if (path === '') return undefined
    const account = new ServiceAccount({ path, option }, modules)
    return () => account.token()
  },
  place: (options) => ({ endpoint: url(setting(options, OPTIONS.UFS_GCS_ENDPOINT)!), region: 'auto' }),
}

const ALIYUN: Cloud = {
  kind: 'oss',
  accessKey: OPTIONS.UFS_OSS_ACCESS_KEY,
  secretKey: OPTIONS.UFS_OSS_SECRET_KEY,
  token: OPTIONS.UFS_OSS_TOKEN,
  checksum: 'MD5',
  pathStyle: false,
  dialect: OSS,
  place(options) {
    const given = setting(options, OPTIONS.UFS_OSS_ENDPOINT)!
    const named = /\boss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com/.exec(given)?.[1]
    const region = setting(options, OPTIONS.UFS_OSS_REGION)!.replace(/^oss-/, '') || named
    if (region === undefined) throw unknown(OPTIONS.UFS_OSS_REGION.key, 'cn-hangzhou')
    return { endpoint: url(given || `oss-${region}.aliyuncs.com`), region }
  },
}

const TENCENT: Cloud = {
  kind: 'cos',
  accessKey: OPTIONS.UFS_COS_ACCESS_KEY,
  secretKey: OPTIONS.UFS_COS_SECRET_KEY,
  checksum: 'MD5',
  pathStyle: false,
  place(options) {
    const region = setting(options, OPTIONS.UFS_COS_REGION)!
    const endpoint = setting(options, OPTIONS.UFS_S3_ENDPOINT)!
    if (region === '') throw unknown(OPTIONS.UFS_COS_REGION.key, 'ap-guangzhou')
    return { endpoint: url(endpoint || `cos.${region}.myqcloud.com`), region }
  },
}

const HUAWEI: Cloud = {
  kind: 'obs',
  accessKey: OPTIONS.UFS_OBS_ACCESS_KEY,
  secretKey: OPTIONS.UFS_OBS_SECRET_KEY,
  checksum: 'MD5',
  pathStyle: false,
  place(options) {
    const endpoint = setting(options, OPTIONS.UFS_OBS_ENDPOINT)!
    const region = setting(options, OPTIONS.UFS_S3_REGION) || /\bobs\.([a-z0-9-]+)\./.exec(endpoint)?.[1]
    if (endpoint === '' || region === undefined) {
      throw unknown(OPTIONS.UFS_OBS_ENDPOINT.key, 'obs.cn-north-4.myhuaweicloud.com')
    }
    return { endpoint: url(endpoint), region }
  },
}

export const CLOUDS: Readonly<Record<string, Cloud>> = {
  gs: GCS,
  gcs: GCS,
  oss: ALIYUN,
  cos: TENCENT,
  cosn: TENCENT,
  obs: HUAWEI,
}

/** The options of the S3 store that mean the cloud; those that are set already stay. */
export function cloudOptions(cloud: Cloud, options: UfsOptions): UfsOptions {
  const { endpoint, region } = cloud.place(options)
  const token = cloud.token === undefined ? '' : setting(options, cloud.token)!
  const access = setting(options, cloud.accessKey)!
  const secret = setting(options, cloud.secretKey)!
  if ((access === '') !== (secret === '')) {
    const { key } = access === '' ? cloud.accessKey : cloud.secretKey
    throw invalid(`${key} is missing: give both keys, for example ${key}=env:MY_VARIABLE`)
  }
  // An endpoint that is an address has no names below it.
  const pathStyle = cloud.pathStyle || /^https?:\/\/(\d+\.){3}\d+(:|$)/.test(endpoint)
  return {
    [OPTIONS.UFS_S3_CHECKSUM.key]: cloud.checksum,
    [OPTIONS.UFS_S3_PATH_STYLE.key]: String(pathStyle),
    ...options,
    [OPTIONS.UFS_S3_ENDPOINT.key]: endpoint,
    [OPTIONS.UFS_S3_REGION.key]: region,
    [OPTIONS.UFS_S3_ACCESS_KEY.key]: access,
    [OPTIONS.UFS_S3_SECRET_KEY.key]: secret,
    [OPTIONS.UFS_S3_SESSION_TOKEN.key]: token,
  }
}

function url(text: string): string {
  return /^https?:\/\//.test(text) ? text : `https://${text}`
}

function unknown(key: string, example: string): AlluxioError {
  return invalid(`it is not known where the bucket is: set ${key}, for example ${key}=${example}`)
}

function invalid(message: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_UFS_OPTION' })
}
