/** OpenStack Swift as Debian packages it: one proxy, account, container and object server each, TempAuth, data in a folder of the test. */
import { createSocket, type Socket } from 'node:dgram'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ServerMissing } from './binary.ts'
import { debianPrograms, programPath, run } from './debian.ts'
import type { RunningServer } from './index.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

const PACKAGES = ['swift-proxy', 'swift-account', 'swift-container', 'swift-object', 'memcached']
const PROGRAMS = ['swift-proxy-server', 'swift-ring-builder', 'memcached']
const KINDS = ['account', 'container', 'object'] as const
const CONTAINER = 'test-container'
const PASSWORD = 'test-password-4417'

export interface SwiftServer extends RunningServer {
  /** Container that exists. */
  readonly container: string
  readonly password: string
  /** Options of a mount. */
  options(more?: Readonly<Record<string, string>>): Record<string, string>
  /** A token that is good now. */
  token(): Promise<string>
  /** A request of the test itself; `path` is below the account, such as `/container/key`. */
  ask(
    method: string,
    path: string,
    more?: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> },
  ): Promise<Response>
  /** Requests from outside since the last call, from the server's access log, as `GET object`, `GET container`. */
  calls(): Promise<Record<string, number>>
  /** Forgets all tokens of TempAuth, as their end or a restart of its memory would. */
  revokeTokens(): Promise<void>
  /** Another password for the user, after a restart of the proxy; the tokens end too. */
  changePassword(password: string): Promise<void>
}

export interface SwiftServerOptions {
  /** Middlewares to leave out of the proxy, such as `bulk`. */
  readonly without?: readonly string[]
  /** Sections of the proxy's configuration, such as `[filter:slo]` settings. */
  readonly slo?: string
  /** Authentication instead of TempAuth: the filter's section and its names in the pipeline. */
  readonly auth?: { readonly pipeline: string; readonly sections: string }
}

export async function startSwift(options: SwiftServerOptions = {}): Promise<SwiftServer> {
  await debianPrograms(PROGRAMS, PACKAGES)
  // The hash that places objects is read from there and from nowhere else; the package brings the file.
  if (!existsSync('/etc/swift/swift.conf')) throw new ServerMissing('/etc/swift/swift.conf is missing')
  const folder = scratchFolder('swift')
  const log = await AccessLog.open()
  const etc = join(folder.path, 'etc')
  for (const name of [etc, join(folder.path, 'srv/d1'), join(folder.path, 'cache')])
    mkdirSync(name, { recursive: true })
  const ports = { memcached: await freePort(), proxy: await freePort(), ...(await ringPorts(etc)) }
  const user = process.getuid?.() === 0 ? 'root' : (process.env.USER ?? 'nobody')
  const endpoint = `http://127.0.0.1:${ports.proxy}`
  writeFileSync(join(etc, 'proxy-server.conf'), proxyConf(options, { etc, user, log: log.port, ...ports }))
  const backs: ServerProcess[] = []
  const cleanUp = async () => {
    await Promise.all(backs.map((back) => back.stop()))
    await log.close()
    folder.remove()
  }
  const command = (kind: string) => ({
    binary: programPath(`swift-${kind}-server`)!,
    args: [join(etc, `${kind}-server.conf`)],
    env: { PYTHONUNBUFFERED: '1' },
  })
  try {
    for (const kind of KINDS) {
      writeFileSync(
        join(etc, `${kind}-server.conf`),
        serverConf(kind, ports[kind], { folder: folder.path, etc, user }),
      )
      backs.push(
        new ServerProcess(
          command(kind),
          async () => (await fetch(`http://127.0.0.1:${ports[kind]}/healthcheck`)).ok,
        ),
      )
    }
    const cache = {
      binary: programPath('memcached')!,
      args: ['-u', user, '-l', '127.0.0.1', '-p', String(ports.memcached), '-m', '32'],
    }
    backs.push(new ServerProcess(cache, async () => true))
    const proxy = new ServerProcess(command('proxy'), async () => (await fetch(`${endpoint}/healthcheck`)).ok)
    await Promise.all(backs.map((back) => back.start()))
    backs.push(proxy)
    await proxy.start()
    const server = new Running(endpoint, { proxy, memcached: backs.at(-2)!, log, cleanUp, etc })
    if (options.auth === undefined) await server.makeContainer()
    return server
  } catch (error) {
    await cleanUp()
    throw error
  }
}

class Running implements SwiftServer {
  readonly endpoint: string
  readonly container = CONTAINER
  readonly #proxy: ServerProcess
  readonly #memcached: ServerProcess
  readonly #log: AccessLog
  readonly #cleanUp: () => Promise<void>
  readonly #etc: string
  #password = PASSWORD
  #token: Promise<string> | undefined

  constructor(
    endpoint: string,
    parts: {
      proxy: ServerProcess
      memcached: ServerProcess
      log: AccessLog
      cleanUp: () => Promise<void>
      etc: string
    },
  ) {
    this.endpoint = endpoint
    this.#proxy = parts.proxy
    this.#memcached = parts.memcached
    this.#log = parts.log
    this.#cleanUp = parts.cleanUp
    this.#etc = parts.etc
  }

  get password(): string {
    return this.#password
  }

  options(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      'fs.swift.auth.method': 'tempauth',
      'fs.swift.auth.url': `${this.endpoint}/auth/v1.0`,
      'fs.swift.user': 'test:tester',
      'fs.swift.password': this.#password,
      ...more,
    }
  }

  async ask(
    method: string,
    path: string,
    more: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> } = {},
  ): Promise<Response> {
    return fetch(`${this.endpoint}/v1/AUTH_test${path}`, {
      method,
      ...more,
      headers: { 'x-auth-token': await this.token(), ...more.headers },
    })
  }

  token(): Promise<string> {
    this.#token ??= fetch(`${this.endpoint}/auth/v1.0`, {
      headers: { 'x-auth-user': 'test:tester', 'x-auth-key': this.#password },
    }).then((answer) => answer.headers.get('x-auth-token')!)
    return this.#token
  }

  async makeContainer(): Promise<void> {
    const { status } = await this.ask('PUT', `/${CONTAINER}`)
    if (status >= 300)
      throw new ServerMissing(`the test container was answered ${status}: ${this.#proxy.output}`)
  }

  calls(): Promise<Record<string, number>> {
    return this.#log.take()
  }

  async revokeTokens(): Promise<void> {
    await this.#memcached.kill()
    await this.#memcached.start()
    this.#token = undefined
  }

  async changePassword(password: string): Promise<void> {
    const file = join(this.#etc, 'proxy-server.conf')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(this.#password, password))
    this.#password = password
    await this.#proxy.kill()
    await this.revokeTokens()
    await this.#proxy.start()
  }

  async stop(): Promise<void> {
    await this.#cleanUp()
  }

  pause(): void {
    this.#proxy.pause()
  }

  resume(): void {
    this.#proxy.resume()
  }

  kill(): Promise<void> {
    return this.#proxy.kill()
  }

  restart(): Promise<void> {
    return this.#proxy.start()
  }
}

/** Receives the proxy's access log, which it sends as syslog. */
class AccessLog {
  readonly #socket: Socket
  readonly port: number
  #calls: Record<string, number> = {}

  static async open(): Promise<AccessLog> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return new AccessLog(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    this.port = socket.address().port
    socket.unref()
    socket.on('message', (line) => this.#note(line.toString()))
  }

  async take(): Promise<Record<string, number>> {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const calls = this.#calls
    this.#calls = {}
    return calls
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()))
  }

  #note(line: string): void {
    const match = / (GET|HEAD|PUT|POST|COPY|DELETE) (\S+) HTTP\/1\.[01] /.exec(line)
    // What middlewares ask of their own accord names them at its end.
    if (match === null || /\s(SLO|BD|SSC|TA)\s/.test(line.slice(match.index + match[0].length))) return
    const [, method, target] = match
    const parts = decodeURIComponent(target!).split('?')[0]!.replace(/\/$/, '').split('/')
    const kind =
      parts[1] !== 'v1' ? parts[1]! : parts.length > 4 ? 'object' : parts.length > 3 ? 'container' : 'account'
    const call = `${method} ${kind}`
    this.#calls[call] = (this.#calls[call] ?? 0) + 1
  }
}

async function ringPorts(etc: string): Promise<Record<(typeof KINDS)[number], number>> {
  const ports = { account: 0, container: 0, object: 0 }
  await Promise.all(
    KINDS.map(async (kind) => {
      ports[kind] = await freePort()
      const builder = join(etc, `${kind}.builder`)
      await run('swift-ring-builder', [builder, 'create', '4', '1', '0'])
      await run('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${ports[kind]}/d1`, '1'])
      // Status 1 is a warning about the balance of a single device.
      await run('swift-ring-builder', [builder, 'rebalance']).catch(() => {})
    }),
  )
  return ports
}

function proxyConf(
  { without = [], slo = 'min_segment_size = 1', auth }: SwiftServerOptions,
  at: { etc: string; user: string; log: number; memcached: number; proxy: number },
): string {
  const pipeline = [
    'catch_errors healthcheck proxy-logging cache listing_formats bulk',
    auth?.pipeline ?? 'tempauth',
    'copy slo dlo versioned_writes proxy-logging proxy-server',
  ].join(' ')
  const filters = [
    'catch_errors',
    'healthcheck',
    'listing_formats',
    'bulk',
    'copy',
    'dlo',
    'versioned_writes',
  ]
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${at.proxy}
workers = 0
user = ${at.user}
swift_dir = ${at.etc}
log_udp_host = 127.0.0.1
log_udp_port = ${at.log}
[pipeline:main]
pipeline = ${pipeline
    .split(' ')
    .filter((name) => !without.includes(name))
    .join(' ')}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${at.memcached}
[filter:slo]
use = egg:swift#slo
${slo}
${auth?.sections ?? `[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = ${PASSWORD} .admin\nuser_test_guest = guest-password-1`}
${filters.map((name) => `[filter:${name}]\nuse = egg:swift#${name}`).join('\n')}
`
}

function serverConf(kind: string, port: number, at: { folder: string; etc: string; user: string }): string {
  return `[DEFAULT]
devices = ${join(at.folder, 'srv')}
mount_check = false
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${at.user}
swift_dir = ${at.etc}
log_udp_host = 127.0.0.1
log_udp_port = 9
log_level = ERROR
recon_cache_path = ${join(at.folder, 'cache')}
[pipeline:main]
pipeline = healthcheck ${kind}-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:${kind}-server]
use = egg:swift#${kind}
`
}
