/** Which store serves a scheme, and how it is wrapped. */

import { resolveSecret } from '../core/config/index.ts'
import { AlluxioError, type Log, type Metrics, type Runtime, type Secret } from '../core/index.ts'
import { UFS_MODULES } from '../core/options/ufs.options.ts'
import type { FaultOptions } from './layers/faults.ts'
import { wrapStore } from './layers/index.ts'
import { UfsMetrics } from './layers/metrics.ts'
import { RetryPolicy } from './layers/retry-policy.ts'
import { Redaction } from './layers/secrets.ts'
import type { StorePlugIns } from './plug-ins/index.ts'
import { layerSettings } from './settings.ts'
import type { UnderStore } from './store.ts'
import { parseUfsUri, type UfsUri } from './uri.ts'

/** Options of a mount, as `alluxio.underfs.s3.endpoint` -> text. */
export type UfsOptions = Readonly<Record<string, string>>

/** What a store is handed besides its options. */
export interface StoreModules {
  readonly runtime: Runtime
  readonly log: Log
  /** For steps inside one call (parts of an upload); whole calls are retried by the layer round the store. */
  readonly retry: RetryPolicy
  /** Counts one request to the store's server, such as `HeadObject`. */
  readonly onApiCall: (api: string) => void
  /** Resolves `env:NAME` or `file:PATH` and keeps the value out of every error of this store. */
  readonly secret: (key: string, text: string) => Secret
}

/** A kind of store. Third parties export one as the default of their module (`plug-in.ts`). */
export interface UfsFactory {
  readonly schemes: readonly string[]
  /** What errors about time call it. @default the under-store */
  readonly subject?: string
  /** Makes no call to the store. @throws INVALID_ARGUMENT for bad options */
  open(uri: UfsUri, options: UfsOptions, modules: StoreModules): Promise<UnderStore>
}

export interface UfsModules {
  readonly runtime: Runtime
  readonly log: Log
  /** Where calls, errors, bytes and latencies are counted. @default nowhere */
  readonly metrics?: Metrics
  /** Faults to inject, for tests and simulation. @default none */
  readonly faults?: FaultOptions
  /** More kinds of stores; they win over the built-in ones. */
  readonly factories?: readonly UfsFactory[]
  /** Stores of third parties; they win over the built-in ones too. @default none */
  readonly plugIns?: StorePlugIns
}

type Loader = () => Promise<UfsFactory>

const webHdfs: Loader = async () => (await import('./webhdfs/index.ts')).webHdfsFactory

/** Loaded when first used: the S3 SDK alone costs a tenth of a second to import. */
const BUILT_IN: Readonly<Record<string, Loader>> = {
  file: async () => (await import('./local/index.ts')).localFactory,
  hdfs: webHdfs,
  webhdfs: webHdfs,
  swebhdfs: webHdfs,
  glusterfs: async () => (await import('./gluster/index.ts')).glusterFactory,
  cephfs: async () => (await import('./cephfs/index.ts')).cephfsFactory(),
  s3: async () => (await import('./s3/index.ts')).s3Factory,
  s3a: async () => (await import('./s3/index.ts')).s3Factory,
  s3n: async () => (await import('./s3/index.ts')).s3Factory,
  gs: async () => (await import('./s3/index.ts')).s3Factory,
  gcs: async () => (await import('./s3/index.ts')).s3Factory,
  oss: async () => (await import('./s3/index.ts')).s3Factory,
  cos: async () => (await import('./s3/index.ts')).s3Factory,
  cosn: async () => (await import('./s3/index.ts')).s3Factory,
  obs: async () => (await import('./s3/index.ts')).s3Factory,
  wasb: async () => (await import('./azure/index.ts')).azureFactory,
  wasbs: async () => (await import('./azure/index.ts')).azureFactory,
  abfs: async () => (await import('./azure/index.ts')).azureFactory,
  abfss: async () => (await import('./azure/index.ts')).azureFactory,
  swift: async () => (await import('./swift/index.ts')).swiftFactory,
  http: async () => (await import('./http/index.ts')).httpFactory,
  https: async () => (await import('./http/index.ts')).httpFactory,
}

/** Schemes that need no plug-in. */
export function builtInSchemes(): string[] {
  return Object.keys(BUILT_IN)
}

/**
 * Opens the store that `uri` names, wrapped by the layers (retry, limits, metrics, timeout, faults, redaction).
 * No call is made to it: a missing bucket or folder shows with the first operation.
 * @throws INVALID_ARGUMENT for a malformed URI or option, or a scheme that nobody serves; reason UFS_MODULE, also with TIMEOUT,
 *   for the module of a third party that cannot be used.
 */
export async function openStore(uri: string, options: UfsOptions, modules: UfsModules): Promise<UnderStore> {
  const parsed = parseUfsUri(uri)
  if (options[UFS_MODULES.key] !== undefined) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${UFS_MODULES.key} is for the site: no mount may name modules`,
      {
        reason: 'INVALID_UFS_OPTION',
      },
    )
  }
  const factory = await factoryFor(parsed, modules)
  const settings = layerSettings(options)
  const redaction = new Redaction()
  const metrics = modules.metrics === undefined ? undefined : UfsMetrics.of(modules.metrics, parsed.text)
  const retry = new RetryPolicy(settings.retry, {
    runtime: modules.runtime,
    log: modules.log,
    onRetry: (operation) => metrics?.retried(operation),
  })
  const store = await factory.open(parsed, options, {
    runtime: modules.runtime,
    log: modules.log.child({ ufs: parsed.text }),
    retry,
    onApiCall: (api) => metrics?.called(api),
    secret: (key, text) => redaction.hide(resolveSecret(key, text)),
  })
  return wrapStore(store, settings, {
    runtime: modules.runtime,
    retry,
    redaction,
    uri: parsed.text,
    ...(factory.subject === undefined ? {} : { subject: factory.subject }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(modules.faults === undefined ? {} : { faults: modules.faults }),
  })
}

async function factoryFor(
  uri: UfsUri,
  { factories = [], plugIns }: Pick<UfsModules, 'factories' | 'plugIns'>,
): Promise<UfsFactory> {
  const given =
    factories.find((factory) => factory.schemes.includes(uri.scheme)) ?? plugIns?.factory(uri.scheme)
  if (given !== undefined) return given
  const load = Object.hasOwn(BUILT_IN, uri.scheme) ? BUILT_IN[uri.scheme] : undefined
  if (load !== undefined) return load()
  const known = [
    ...Object.keys(BUILT_IN),
    ...factories.flatMap((factory) => factory.schemes),
    ...(plugIns?.schemes ?? []),
  ]
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `no store serves "${uri.scheme}:" (in ${uri.text}): write one of ${known.map((s) => `${s}://`).join(', ')} or an absolute path`,
    { reason: 'UNKNOWN_SCHEME', operation: 'ufs.open', details: { uri: uri.text, known } },
  )
}
