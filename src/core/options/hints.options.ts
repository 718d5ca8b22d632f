import { option } from '../config/option.ts'

export const HINTS_RPC_PORT = option('alluxio.hints.rpc.port', 'port', {
  default: undefined,
  scope: 'all',
  doc: 'Port on which the master serves hints to schedulers over ZeroMQ. Default: 1 below alluxio.master.rpc.port, that is 19997.',
})
export const HINTS_PUBLISH_PORT = option('alluxio.hints.publish.port', 'port', {
  default: undefined,
  scope: 'all',
  doc: 'Port on which the master publishes changes of replicas (ZeroMQ SUB). Default: 2 below alluxio.master.rpc.port, that is 19996.',
})
export const HINTS_HOST_ALIASES = option('alluxio.hints.host.aliases', 'path', {
  default: undefined,
  scope: 'master',
  doc: 'File with a line host=alias,alias for each host that schedulers know by other names than its workers tell by themselves (their host names and addresses). Read when the master starts.',
})
export const HINTS_ADAPTERS = option('alluxio.hints.adapters', 'list', {
  default: [],
  scope: 'all',
  doc: 'Adapters of third parties as name=module: a module that exports an adapter turns hints into the form of one more scheduler.',
})
export const HINTS_RATES = option('alluxio.hints.rates', 'list', {
  default: ['MEM=10GB', 'SSD=2GB', 'HDD=200MB', 'REMOTE=1GB', 'STORE=100MB'],
  scope: 'master',
  doc: 'Bytes a second at which hints take data to be read: from each tier, from another host and from an under-store. Hosts are ranked by the time that follows.',
})
