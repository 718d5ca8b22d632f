/** Where a daemon listens and keeps its files, as the configuration says. */
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import type { Runtime } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'

export const DAEMONS = ['master', 'worker'] as const
export type DaemonName = (typeof DAEMONS)[number]

export interface PortFact {
  readonly key: string
  readonly host: string
  readonly port: number
}

export interface DaemonFacts {
  readonly name: DaemonName
  readonly rpc: PortFact
  readonly web: PortFact
  readonly pidFile: string
  readonly logFile: string
  /** Address without which it cannot serve. */
  readonly needs?: string
}

export interface LaunchModules {
  readonly runtime: Runtime
  /** What runs the command line: Node, its script and the environment of the new process. */
  readonly command: readonly [node: string, script: string]
  readonly env: Readonly<Record<string, string | undefined>>
}

export function daemonFacts(config: Config, name: DaemonName): DaemonFacts {
  const fact = (host: string, port: number, key: string): PortFact => ({ key, host, port })
  const files = {
    pidFile: resolve(join(config.get(o.DATA), 'pids', `${name}.json`)),
    logFile: resolve(join(config.get(o.LOGS_DIR), `${name}.log`)),
  }
  if (name === 'master') {
    return {
      name,
      ...files,
      rpc: fact(config.get(o.MASTER_BIND_HOST), config.get(o.MASTER_RPC_PORT), o.MASTER_RPC_PORT.key),
      web: fact(config.get(o.MASTER_WEB_BIND_HOST), config.get(o.MASTER_WEB_PORT), o.MASTER_WEB_PORT.key),
    }
  }
  return {
    name,
    ...files,
    needs: `${config.get(o.MASTER_HOSTNAME)}:${config.get(o.MASTER_RPC_PORT)}`,
    rpc: fact(config.get(o.WORKER_BIND_HOST), config.get(o.WORKER_RPC_PORT), o.WORKER_RPC_PORT.key),
    web: fact(config.get(o.WORKER_WEB_BIND_HOST), config.get(o.WORKER_WEB_PORT), o.WORKER_WEB_PORT.key),
  }
}

/** The address to reach a socket that is bound to `host`. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host
}
