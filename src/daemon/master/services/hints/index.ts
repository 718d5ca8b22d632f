/**
 * The hint service of the master: the engine of `src/scheduler` joined to the namespace, the block map and the workers, and its doors:
 * RPC on a port of its own (and on the master's), JSON over HTTP, streams and publication of changes. Keeps no second copy of where blocks
 * are (docs/decisions/0008). Documented in docs/reference/hints.md.
 */
import { readFile } from 'node:fs/promises'
import type { Config } from '../../../../core/config/index.ts'
import { type Component, fromErrno, type Log, type Metrics, type Runtime } from '../../../../core/index.ts'
import * as o from '../../../../core/options/index.ts'
import type { BlockMap, Namespace } from '../../../../namespace/index.ts'
import { HintsContract, RpcServer, type Transport } from '../../../../rpc/index.ts'
import { Hints, loadAdapters, parseHostAliases, parseRates } from '../../../../scheduler/index.ts'
import type { HttpDoorModules } from '../../../http.ts'
import type { Callers } from '../callers.ts'
import type { FsReads } from '../fs-reads.ts'
import type { WorkerRegistry } from '../worker-registry.ts'
import { Changes } from './changes.ts'
import { Doubts } from './doubts.ts'
import { HintHttp } from './hint-http.ts'
import { HintService } from './hint-service.ts'
import { Questions } from './questions.ts'

export type { Doubts } from './doubts.ts'

export interface HintDoors {
  readonly service: HintService
  /** Hears of what workers tell. */
  readonly doubts: Doubts
  readonly route: NonNullable<HttpDoorModules['route']>
  readonly components: readonly Component[]
}

export interface HintDoorsModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly workers: WorkerRegistry
  readonly reads: FsReads
  readonly callers: Callers
  readonly transport: Transport
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: Metrics
  readonly onFatal: (error: unknown) => void
}

/** @throws INVALID_ARGUMENT for aliases, rates or adapters that cannot be used; NOT_FOUND when the file of aliases is missing */
export async function openHints(config: Config, modules: HintDoorsModules): Promise<HintDoors> {
  const { namespace, blocks, workers, reads, callers, transport, runtime, log, metrics, onFatal } = modules
  const aliases = await readAliases(config.get(o.HINTS_HOST_ALIASES))
  const rates = parseRates(config.get(o.HINTS_RATES), o.HINTS_RATES.key)
  const adapters = await loadAdapters(config.get(o.HINTS_ADAPTERS))
  const hints = new Hints(
    { timeoutMs: config.get(o.MASTER_WORKER_TIMEOUT), rates },
    { blocks, workers, aliases },
  )
  const bindHost = config.get(o.MASTER_BIND_HOST)
  const changes = new Changes(
    { address: `tcp://${bindHost}:${portOf(config, o.HINTS_PUBLISH_PORT, 2)}` },
    { namespace, blocks, workers, reads, transport, runtime, log },
  )
  const questions = new Questions({ namespace, reads })
  const doubts = new Doubts(
    { patienceMs: config.get(o.MASTER_WORKER_TIMEOUT) },
    { namespace, blocks, workers, runtime, log },
  )
  const service = new HintService({ hints, questions, changes, doubts, blocks, callers, runtime })
  const rpc = new RpcServer({ name: 'hints', onFatal }, { runtime, log, metrics })
  rpc.serve(HintsContract, service)
  const door: Component = {
    name: 'hints',
    async start() {
      const { address } = await rpc.listen(
        transport,
        `tcp://${bindHost}:${portOf(config, o.HINTS_RPC_PORT, 1)}`,
      )
      log.info('hints are served', { address, publishPort: changes.publishPort })
    },
    stop: () => {
      doubts.stop()
      return rpc.close()
    },
  }
  const http = new HintHttp({ service, changes, adapters, callers, runtime, log })
  return { service, doubts, route: http.route, components: [changes, door] }
}

/** The port that is configured, or one so far below that of the master; 0 if that is 0. */
function portOf(config: Config, option: typeof o.HINTS_RPC_PORT, below: number): number {
  const master = config.get(o.MASTER_RPC_PORT)
  return config.get(option) ?? Math.max(0, master - below)
}

async function readAliases(path: string | undefined) {
  if (path === undefined) return parseHostAliases('', '')
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fromErrno(error, 'read host aliases', path)
  })
  return parseHostAliases(text, path)
}
