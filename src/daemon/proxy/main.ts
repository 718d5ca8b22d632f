/** Wiring of the proxy. */
import { connectFileSystems } from '../../client/index.ts'
import type { Config } from '../../core/config/index.ts'
import { type Log, Metrics, type Runtime, Supervisor, toAlluxioError } from '../../core/index.ts'
import * as o from '../../core/options/index.ts'
import { HttpListener, S3Gateway, Users, WebHdfsGateway } from '../../gateway/index.ts'
import type { Transport } from '../../rpc/index.ts'
import { loadAdapters } from '../../scheduler/index.ts'
import { HttpDoor } from '../http.ts'

export interface ProxyModules {
  readonly runtime: Runtime
  readonly transport: Transport
  readonly log: Log
}

export interface Proxy {
  readonly webHdfsPort: number
  readonly s3Port: number
  /** Settles when the daemon has ended; rejects with what ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/**
 * Resolves when the gateways serve; the master may come later.
 * @throws UNAVAILABLE reason ADDRESS_IN_USE
 */
export async function startProxy(config: Config, modules: ProxyModules): Promise<Proxy> {
  try {
    return await serve(config, modules)
  } catch (error) {
    throw toAlluxioError(error, 'start proxy')
  }
}

async function serve(config: Config, modules: ProxyModules): Promise<Proxy> {
  const { runtime, log } = modules
  const metrics = new Metrics()
  const fileSystems = connectFileSystems({}, { ...modules, config })
  const users = new Users({ masterWaitMs: config.get(o.PROXY_MASTER_WAIT) }, { fileSystems })
  const { admin } = fileSystems.as(config.get(o.LOGIN_USERNAME))
  const adapters = await loadAdapters(config.get(o.HINTS_ADAPTERS))
  const gateway = new WebHdfsGateway(
    {
      trustUserName: config.get(o.PROXY_TRUST_USER_NAME),
      proxyUsers: config.get(o.PROXY_USERS),
      blockSizeBytes: config.get(o.BLOCK_SIZE_DEFAULT),
      maxBytes: config.get(o.WEBHDFS_REWRITE_MAX),
      hostname: config.get(o.PROXY_HOSTNAME),
    },
    {
      users,
      keys: fileSystems.keys,
      admin,
      adapters,
      runtime,
      log,
      metrics,
    },
  )
  const bind = {
    host: config.get(o.PROXY_BIND_HOST),
    allowRemote: config.get(o.SECURITY_TRANSPORT) === 'none',
    maxConnections: config.get(o.PROXY_MAX_CONNECTIONS),
  }
  const webHdfs = new HttpDoor(
    { ...bind, port: config.get(o.PROXY_WEBHDFS_PORT), requestTimeoutMs: 0 },
    {
      ...{ metrics, log, state: () => supervisor.state },
      route: gateway.route,
    },
  )
  const s3Gateway = new S3Gateway(
    {
      root: config.get(o.S3_ROOT),
      domains: config.get(o.S3_DOMAINS),
      region: config.get(o.S3_REGION),
      uploadMaxAgeMs: config.get(o.S3_UPLOAD_MAX_AGE),
      blockSizeBytes: config.get(o.BLOCK_SIZE_DEFAULT),
      maxMd5Bytes: config.get(o.S3_MD5_MAX),
    },
    { users, credentials: admin.credentials, runtime, log, metrics },
  )
  const s3 = new HttpListener(
    { ...bind, name: 's3', port: config.get(o.PROXY_S3_PORT), requestTimeoutMs: 0 },
    { handler: s3Gateway.handle, log },
  )
  const supervisor: Supervisor = new Supervisor(
    [{ name: 'connections', start() {}, stop: () => fileSystems.close() }, s3Gateway, s3, webHdfs],
    { runtime, log },
  )
  await supervisor.start()
  return {
    webHdfsPort: webHdfs.port,
    s3Port: s3.port,
    ended: supervisor.ended,
    stop: () => supervisor.stop(),
  }
}
