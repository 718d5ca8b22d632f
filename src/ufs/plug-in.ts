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
 * `alluxio.underfs.modules=sftp=the-package` names it to the daemons and clients; a mount's `--option key=value` reach `open`
 * as `options`. `open` makes no call to the server; the methods of {@link UnderStore} do. Retry, timeout, limits and metrics
 * stand round the store already: a method fails at once with an error that says what is wrong, and stops at its signal. What is
 * thrown is an {@link AlluxioError}, or an error of Node.js (`ENOENT`, `ECONNRESET`, ...); anything else counts as a bug of the store.
 * {@link runUfsTests}, or `alluxio runUfsTests --path sftp://host/folder`, judges it.
 */
export { AlluxioError, type ErrorCode, isAlluxioError } from '../core/errors.ts'
export type { Log, Runtime, Secret } from '../core/index.ts'
export { runUfsTests, type UfsTestResult } from './contract-suite/index.ts'
export type { StoreModules, UfsFactory, UfsOptions } from './registry.ts'
export type * from './store.ts'
export type { UfsUri } from './uri.ts'
