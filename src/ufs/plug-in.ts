/**
 * What the author of a store imports (`alluxio/ufs`); nothing else of this package is promised to keep its form.
 *
 * A store is a module whose default export is a {@link UfsFactory}:
 *
 * ```js
 * export default {
 *   schemes: ['sftp'],
 *   async open(uri, options, { runtime, log, secret }) {
 *     return new SftpStore(uri.authority, `/${uri.path}`, secret('sftp.password', options['sftp.password'] ?? ''))
 *   },
 * }
 * ```
 *
 * `open` makes no call to the server; the methods of {@link UnderStore} do. Retry, timeout, limits and metrics stand round the
 * store already: a method fails at once with an error that says what is wrong, and stops at its signal. What is thrown is an
 * {@link AlluxioError}, or an error of Node.js (`ENOENT`, `ECONNRESET`, ...); anything else counts as a bug of the store.
 * {@link runUfsTests} judges it. How to write, test, ship and install one: docs/reference/ufs-plugins.md.
 */
import { silentLog, systemRuntime } from '../core/index.ts'
import { openStore as openLayered, type UfsFactory, type UfsOptions } from './registry.ts'
import type { UnderStore } from './store.ts'

export { AlluxioError, type ErrorCode, isAlluxioError } from '../core/errors.ts'
export type { Log, Runtime, Secret } from '../core/index.ts'
export { runUfsTests, type UfsTestResult } from './contract-suite/index.ts'
export type { StoreModules, UfsFactory, UfsOptions } from './registry.ts'
export type * from './store.ts'
export type { UfsUri } from './uri.ts'

/**
 * A store as the daemons see it, with all layers round it: for the tests of its author. It runs in this thread, where a daemon
 * gives it one of its own.
 */
export function openStore(factory: UfsFactory, uri: string, options: UfsOptions = {}): Promise<UnderStore> {
  return openLayered(uri, options, { runtime: systemRuntime, log: silentLog, factories: [factory] })
}
