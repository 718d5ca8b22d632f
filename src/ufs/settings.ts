/** Reads the options of a mount by their declarations in `core/options/ufs.options.ts`. */

import { type Config, declaredOptions, type Option } from '../core/config/index.ts'
import { AlluxioError, isAlluxioError } from '../core/index.ts'
import * as OPTIONS from '../core/options/ufs.options.ts'
import type { UfsOptions } from './registry.ts'

/** The value of one option of a mount, or its default. @throws INVALID_ARGUMENT naming the key. */
export function setting<T>(options: UfsOptions, option: Option<T>): T {
  const text = options[option.key]
  if (text === undefined) return option.default
  try {
    return option.parse(text)
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    const message = error.message.startsWith(option.key) ? error.message : `${option.key}: ${error.message}`
    throw new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_UFS_OPTION', cause: error })
  }
}

/** Options of a mount: what the site says for all stores (`alluxio.underfs.…`, `s3a.…`, `fs.…`), then what the mount says. */
export function mountOptions(config: Config, options: UfsOptions = {}): Record<string, string> {
  const merged: Record<string, string> = {}
  for (const prefix of ['alluxio.underfs.', 's3a.', 'fs.']) {
    for (const [key, text] of Object.entries(config.subtree(prefix))) merged[prefix + key] = text
  }
  // Code is named for the whole process (`plug-ins/`), never by a mount.
  delete merged[OPTIONS.UFS_MODULES.key]
  return { ...merged, ...options }
}

const SECRET_NAME = /secret|password|passphrase|token|credential|access.?key/i

/** Options of a mount as they may be shown: of a secret its reference (`env:NAME`, `file:PATH`), never its value. */
export function shownOptions(options: UfsOptions): Record<string, string> {
  const shown: Record<string, string> = {}
  for (const [key, text] of Object.entries(options)) {
    const secret = declaredOptions().get(key)?.secret ?? SECRET_NAME.test(key)
    shown[key] = secret && text !== '' && !/^(env|file):/.test(text) ? '******' : text
  }
  return shown
}

export interface LayerSettings {
  readonly retry: { readonly maxDurationMs: number; readonly baseMs: number; readonly capMs: number }
  readonly timeout: { readonly callMs: number; readonly stallMs: number; readonly bulkMs: number }
  readonly limit: {
    readonly callsPerSecond: number
    readonly readBytesPerSecond: number
    readonly writeBytesPerSecond: number
  }
}

export function layerSettings(options: UfsOptions): LayerSettings {
  return {
    retry: {
      maxDurationMs: setting(options, OPTIONS.UFS_RETRY_MAX)!,
      baseMs: setting(options, OPTIONS.UFS_RETRY_BASE)!,
      capMs: setting(options, OPTIONS.UFS_RETRY_CAP)!,
    },
    timeout: {
      callMs: setting(options, OPTIONS.UFS_TIMEOUT)!,
      stallMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
      bulkMs: setting(options, OPTIONS.UFS_BULK_TIMEOUT)!,
    },
    limit: {
      callsPerSecond: setting(options, OPTIONS.UFS_CALL_RATE)!,
      readBytesPerSecond: setting(options, OPTIONS.UFS_READ_BANDWIDTH)!,
      writeBytesPerSecond: setting(options, OPTIONS.UFS_WRITE_BANDWIDTH)!,
    },
  }
}
