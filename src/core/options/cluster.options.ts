import { enumOption, option } from '../config/option.ts'

export const HOME = option('alluxio.home', 'path', {
  default: '.',
  scope: 'all',
  doc: 'Folder of the installation.',
})
export const DATA = option('alluxio.data', 'path', {
  default: '${user.home}/.alluxio',
  scope: 'all',
  doc: 'Folder of all state: metadata, tiers that have no folder of their own, logs, pids and sockets.',
})
export const LOGS_DIR = option('alluxio.logs.dir', 'path', {
  default: '${alluxio.data}/logs',
  scope: 'all',
  doc: 'Folder of the log files.',
})
export const LOG_LEVEL = enumOption('alluxio.log.level', ['debug', 'info', 'warn', 'error'], {
  default: 'info',
  scope: 'all',
  doc: 'Least severe level that is logged.',
})
export const SECURITY_TRANSPORT = enumOption('alluxio.security.transport', ['auto', 'none'], {
  default: 'auto',
  scope: 'all',
  doc: 'auto refuses to bind anything but loopback without keys; none lets a daemon listen in the clear.',
})
export const LOGIN_USERNAME = option('alluxio.security.login.username', 'string', {
  default: '${user.name}',
  scope: 'all',
  doc: 'The user that clients act as (authentication type SIMPLE: the server trusts the name).',
})
export const PERMISSION_ENABLED = option('alluxio.security.authorization.permission.enabled', 'boolean', {
  default: true,
  scope: 'all',
  doc: 'Whether POSIX permissions are checked.',
})
export const SUPERGROUP = option('alluxio.security.authorization.permission.supergroup', 'string', {
  default: 'supergroup',
  scope: 'all',
  doc: 'Members of this group may do everything.',
})
export const UMASK = option('alluxio.security.authorization.permission.umask', 'string', {
  default: '022',
  scope: 'all',
  doc: 'Octal mode bits taken away from new files and directories.',
})
