/** Wiring of the daemon beside Kubernetes. */
import { existsSync, readFileSync } from 'node:fs'
import { connectFileSystem } from '../../client/index.ts'
import type { Config } from '../../core/config/index.ts'
import {
  AlluxioError,
  type Component,
  type Log,
  Metrics,
  type Runtime,
  recurring,
  Supervisor,
  toAlluxioError,
} from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import type { Certificate } from '../../gateway/index.ts'
import { HintSource, KubeApi, KubernetesGateway, NodePlaces, WarmGate } from '../../orchestrators/index.ts'
import type { Transport } from '../../rpc/index.ts'
import { HttpDoor } from '../http.ts'

export interface KubernetesModules {
  readonly runtime: Runtime
  readonly transport: Transport
  readonly log: Log
}

export interface KubernetesDaemon {
  readonly port: number
  /** Settles when the daemon has ended; rejects with what ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const IN_CLUSTER = 'https://kubernetes.default.svc'
const RENEW_MS = 10_000

/**
 * Resolves when it serves; the master may come later.
 * @throws UNAVAILABLE reason ADDRESS_IN_USE; INVALID_ARGUMENT for files or addresses that cannot be used
 */
export async function startKubernetes(config: Config, modules: KubernetesModules): Promise<KubernetesDaemon> {
  try {
    return await serve(config, modules)
  } catch (error) {
    throw toAlluxioError(error, 'start kubernetes')
  }
}

async function serve(config: Config, modules: KubernetesModules): Promise<KubernetesDaemon> {
  const { runtime, log } = modules
  const metrics = new Metrics()
  const fs = await connectFileSystem({}, { ...modules, config })
  const source = new HintSource(
    { timeoutMs: config.get(o.KUBERNETES_HINTS_TIMEOUT) },
    { hints: fs.hints, runtime },
  )
  const api = apiOf(config, runtime)
  const nodeLabel = config.get(o.KUBERNETES_NODE_LABEL)
  const maxHoldMs = config.get(o.KUBERNETES_HOLD_MAX)
  const places = new NodePlaces({ nodeLabel }, { source, api, runtime, log })
  const gateway = new KubernetesGateway(
    { nodeLabel, maxHoldMs, holds: api !== undefined },
    { places, runtime, log, metrics },
  )
  const tls = certificateOf(config)
  const door = new HttpDoor(
    {
      host: config.get(o.KUBERNETES_BIND_HOST),
      port: config.get(o.KUBERNETES_PORT),
      allowRemote: config.get(o.SECURITY_TRANSPORT) === 'none',
      tls,
    },
    { metrics, log, state: () => supervisor.state, route: gateway.route },
  )
  const components: Component[] = [{ name: 'connection', start() {}, stop: () => fs.close() }, door]
  if (tls !== undefined) components.push(renewal(config, tls, door, modules))
  if (api !== undefined) {
    const released = metrics.counters('alluxio_kubernetes_released_total', 'Pods that were held, and let go')
    const gate = new WarmGate(
      { maxHoldMs, nodeLabel },
      {
        ...{ api, places, fs, runtime, log },
        onReleased: (why) => released.with({ warm: String(why === '') }).add(),
      },
    )
    metrics.observe('alluxio_kubernetes_held', 'Pods that wait for their inputs', () => [[{}, gate.held]])
    components.push({ name: 'api', start() {}, stop: () => api.close() }, gate)
  }
  const supervisor: Supervisor = new Supervisor(components, { runtime, log })
  await supervisor.start()
  return { port: door.port, ended: supervisor.ended, stop: () => supervisor.stop() }
}

function apiOf(config: Config, runtime: Runtime): KubeApi | undefined {
  const tokenFile = existing(config.get(o.KUBERNETES_API_TOKEN))
  const text = config.get(o.KUBERNETES_API_URL)
  if (text === '' && tokenFile === undefined) return undefined
  const url = URL.parse(text === '' ? IN_CLUSTER : text)
  if (url === null)
    throw new AlluxioError('INVALID_ARGUMENT', `${o.KUBERNETES_API_URL.key}: ${text} is no URL`)
  return new KubeApi({ url, tokenFile, caFile: existing(config.get(o.KUBERNETES_API_CA)) }, { runtime })
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined
}

function certificateOf(config: Config): Certificate | undefined {
  const cert = config.get(o.KUBERNETES_TLS_CERT) as string | undefined
  const key = config.get(o.KUBERNETES_TLS_KEY) as string | undefined
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${o.KUBERNETES_TLS_CERT.key} and ${o.KUBERNETES_TLS_KEY.key} belong together`,
    )
  }
  return { cert: pem(cert), key: pem(key) }
}

/** Certificates end, and who makes them writes new ones into the same files. */
function renewal(config: Config, first: Certificate, door: HttpDoor, modules: KubernetesModules): Component {
  let current = first
  const look = () => {
    const found = certificateOf(config)!
    if (found.cert === current.cert && found.key === current.key) return
    door.renewCertificate(found)
    current = found
    modules.log.info('certificate renewed')
  }
  return recurring('certificate', RENEW_MS, look, modules)
}

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new AlluxioError('INVALID_ARGUMENT', `${path} cannot be read: ${(error as Error).message}`)
  }
}
