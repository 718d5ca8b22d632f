/** Where a daemon listens and keeps its files, as the configuration says. */
import { join, resolve } from 'node:path'
import type { Config, Option } from '../../core/config/index.ts'
import type { Runtime } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'

/** In the order in which they start. */
export const DAEMONS = ['master', 'worker', 'proxy'] as const
export type DaemonName = (typeof DAEMONS)[number]

export interface PortFact {
  /** What is spoken there. */
  readonly protocol: 'RPC' | 'HTTP' | 'S3' | 'WebHDFS'
  readonly key: string
  readonly host: string
  readonly port: number
}

export interface DaemonFacts {
  readonly name: DaemonName
  /** Of a proxy, the S3 gateway. */
  readonly rpc: PortFact
  /** Of a proxy, the WebHDFS gateway. */
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
  const fact = (protocol: PortFact['protocol'], host: Option<string>, port: Option<number>): PortFact => ({
    protocol,
    key: port.key,
    host: config.get(host),
    port: config.get(port),
  })
  const files = {
    pidFile: resolve(join(config.get(o.DATA), 'pids', `${name}.json`)),
    logFile: resolve(join(config.get(o.LOGS_DIR), `${name}.log`)),
  }
  if (name === 'master') {
    return {
      name,
      ...files,
      rpc: fact('RPC', o.MASTER_BIND_HOST, o.MASTER_RPC_PORT),
      web: fact('HTTP', o.MASTER_WEB_BIND_HOST, o.MASTER_WEB_PORT),
    }
  }
  if (name === 'proxy') {
    return {
      name,
      ...files,
      rpc: fact('S3', o.PROXY_BIND_HOST, o.PROXY_S3_PORT),
      web: fact('WebHDFS', o.PROXY_BIND_HOST, o.PROXY_WEBHDFS_PORT),
    }
  }
  return {
    name,
    ...files,
    needs: `${config.get(o.MASTER_HOSTNAME)}:${config.get(o.MASTER_RPC_PORT)}`,
    rpc: fact('RPC', o.WORKER_BIND_HOST, o.WORKER_RPC_PORT),
    web: fact('HTTP', o.WORKER_WEB_BIND_HOST, o.WORKER_WEB_PORT),
  }
}

/** The address to reach a socket that is bound to `host`. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host
}
