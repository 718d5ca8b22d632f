/** How the product's own programs are started on a simulated host: the one place that knows their wiring. */
import type { FileSystem } from '../../../src/client/types.ts'
import { Config } from '../../../src/core/config/index.ts'
import type { Log } from '../../../src/core/index.ts'
import '../../../src/core/options/index.ts'
import type { SimNode } from '../kernel/kernel.ts'
import type { SimOptions } from '../options.ts'
import type { SimNetwork } from './network.ts'

export const MASTER = 'master'
export const SUPERUSER = { user: 'sim', group: 'sim' } as const
const MASTER_PORT = 19_998
export const WORKER_PORT = 29_999

export interface ProgramModules {
  readonly network: SimNetwork
  readonly log: Log
  readonly options: SimOptions
}

/** Configuration of a process on `host`. Knobs are turned down so that what takes minutes in production happens here too. */
export function configOf(host: string, options: SimOptions, more: Record<string, string> = {}): Config {
  return Config.load({
    // No site file, no environment of the machine.
    env: { ALLUXIO_DATA: '/sim/none', ALLUXIO_HOME: '/sim/none' },
    overrides: {
      'alluxio.security.transport': 'none',
      'alluxio.security.login.username': SUPERUSER.user,
      'alluxio.master.hostname': MASTER,
      'alluxio.master.bind.host': MASTER,
      'alluxio.master.rpc.port': String(MASTER_PORT),
      'alluxio.master.mount.table.root.ufs': 'mem://root',
      'alluxio.master.worker.timeout': '4s',
      'alluxio.master.ttl.checker.interval': '500ms',
      'alluxio.master.persistence.max.interval': '5s',
      'alluxio.worker.block.heartbeat.interval': '300ms',
      'alluxio.worker.block.extent.size': String(options.extentBytes),
      'alluxio.user.block.size.bytes.default': String(options.blockSizeBytes),
      'alluxio.user.hostname': host,
      ...more,
    },
  })
}
