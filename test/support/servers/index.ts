/** Real servers for tests: MinIO, versitygw, toxiproxy and our own S3 server with latency, faults and counters. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { goServer, latencyServer, ServerMissing } from './binary.ts'
import { freePort, HERE, ServerProcess, scratchFolder } from './process.ts'

export interface RunningServer {
  readonly endpoint: string
  /** Stops it and removes its data. */
  stop(): Promise<void>
  /** SIGSTOP: the server hangs, its connections stay open. */
  pause(): void
  resume(): void
  /** SIGKILL: the server is gone. */
  kill(): Promise<void>
  /** After `kill`: the same port, the same data. */
  restart(): Promise<void>
}

export interface S3Server extends RunningServer {
  /** Bucket that exists. */
  readonly bucket: string
  readonly accessKey: string
  readonly secretKey: string
  /** Options of a mount. */
  options(more?: Readonly<Record<string, string>>): Record<string, string>
}

export const KEYS = { accessKey: 'test-access-key', secretKey: 'test-secret-key-9f81' }
const BUCKET = 'test-bucket'

export async function startMinio(place = HERE): Promise<S3Server> {
  const binary = await goServer('minio')
  const data = scratchFolder('minio')
  mkdirSync(join(data.path, BUCKET))
  const port = await freePort()
  const command = place.command(binary, [
    ...['server', '--quiet', '--address', `${place.address}:${port}`, data.path],
  ])
  return s3Server(`${place.address}:${port}`, data, {
    ...command,
    env: {
      MINIO_ROOT_USER: KEYS.accessKey,
      MINIO_ROOT_PASSWORD: KEYS.secretKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      // Without it MinIO refuses to keep its data on the disk of the system.
      MINIO_CI_CD: '1',
    },
  })
}

export async function startVersitygw(): Promise<S3Server> {
  const binary = await goServer('versitygw')
  const data = scratchFolder('versitygw')
  mkdirSync(join(data.path, 'data', BUCKET), { recursive: true })
  mkdirSync(join(data.path, 'iam'))
  const port = await freePort()
  return s3Server(`127.0.0.1:${port}`, data, {
    binary,
    args: [
      '--port',
      `127.0.0.1:${port}`,
      '--region',
      'us-east-1',
      '--iam-dir',
      join(data.path, 'iam'),
      'posix',
      join(data.path, 'data'),
    ],
    env: { ROOT_ACCESS_KEY: KEYS.accessKey, ROOT_SECRET_KEY: KEYS.secretKey },
  })
}

async function s3Server(
  address: string,
  data: ReturnType<typeof scratchFolder>,
  command: ConstructorParameters<typeof ServerProcess>[0],
): Promise<S3Server> {
  const endpoint = `http://${address}`
  const child = new ServerProcess(command, async () => (await fetch(`${endpoint}/${BUCKET}`)).status < 500)
  try {
    await child.start()
  } catch (error) {
    data.remove()
    throw error
  }
  return {
    ...running(child, endpoint, data.remove),
    ...KEYS,
    bucket: BUCKET,
    options: (more) => mountOptions(endpoint, more),
  }
}

export function mountOptions(
  endpoint: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    'alluxio.underfs.s3.endpoint': endpoint,
    's3a.accessKeyId': KEYS.accessKey,
    's3a.secretKey': KEYS.secretKey,
    ...more,
  }
}

function running(process: ServerProcess, endpoint: string, remove: () => void): RunningServer {
  return {
    endpoint,
    async stop() {
      await process.stop()
      remove()
    },
    pause: () => process.pause(),
    resume: () => process.resume(),
    kill: () => process.kill(),
    restart: () => process.start(),
  }
}

/** What the latency server does to the next `count` calls of one API; see `s3-latency/control.go`. */
export interface S3Fault {
  readonly api: string
  readonly kind: 'error' | 'hang' | 'drop' | 'truncate' | 'short' | 'whole'
  readonly count?: number
  readonly status?: number
  readonly code?: string
  readonly retryAfter?: string
  readonly bytes?: number
}

export interface S3LatencyServer extends S3Server {
  stats(): Promise<{
    readonly calls: Readonly<Record<string, number>>
    readonly bytesOut: number
    readonly uploads: number
  }>
  /** Zeroes the counters and forgets the faults. */
  reset(): Promise<void>
  setDelay(ms: number): Promise<void>
  fault(fault: S3Fault): Promise<void>
  /** Makes `count` objects `prefix000000` … of `bytes` bytes in the bucket. */
  fill(prefix: string, count: number, bytes: number): Promise<void>
}

/** Our S3 server: objects in memory, `delayMs` added to every call. */
export async function startS3Latency(options: { readonly delayMs?: number } = {}): Promise<S3LatencyServer> {
  const binary = await latencyServer()
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const args = ['-address', `127.0.0.1:${port}`, '-bucket', BUCKET, '-delay', `${options.delayMs ?? 0}ms`]
  const control = async (path: string, body?: unknown) => {
    const answer = await fetch(`${endpoint}/_control/${path}`, {
      method: 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  const child = new ServerProcess({ binary, args }, async () => (await control('stats')).ok)
  await child.start()
  return {
    ...running(child, endpoint, () => {}),
    ...KEYS,
    bucket: BUCKET,
    options: (more) => mountOptions(endpoint, more),
    stats: async () => (await control('stats')).json() as ReturnType<S3LatencyServer['stats']>,
    reset: async () => void (await control('reset')),
    setDelay: async (ms) => void (await control(`delay?ms=${ms}`)),
    fault: async (fault) => void (await control('fault', fault)),
    fill: async (prefix, count, bytes) =>
      void (await control(
        `fill?bucket=${BUCKET}&prefix=${encodeURIComponent(prefix)}&count=${count}&bytes=${bytes}`,
      )),
  }
}

export interface Toxiproxy extends RunningServer {
  /** A port that leads to `endpoint`; returns its own endpoint. */
  proxy(name: string, endpoint: string): Promise<string>
  /** Adds a toxic to a proxy, such as `latency` with `{latency: 20}` milliseconds. */
  toxic(proxy: string, type: string, attributes: Readonly<Record<string, number>>): Promise<void>
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  const binary = await goServer('toxiproxy')
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = new ServerProcess(
    { binary, args: ['-host', '127.0.0.1', '-port', String(port)] },
    async () => (await fetch(`${endpoint}/version`)).ok,
  )
  await child.start()
  const post = async (path: string, body: unknown) => {
    const answer = await fetch(endpoint + path, { method: 'POST', body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`toxiproxy ${path}: ${answer.status} ${await answer.text()}`)
  }
  return {
    ...running(child, endpoint, () => {}),
    async proxy(name, upstream) {
      const listen = `127.0.0.1:${await freePort()}`
      await post('/proxies', { name, listen, upstream: upstream.replace(/^https?:\/\//, ''), enabled: true })
      return `http://${listen}`
    },
    toxic: (proxy, type, attributes) =>
      post(`/proxies/${proxy}/toxics`, { type, attributes, stream: 'downstream', toxicity: 1 }),
  }
}

export type Availability<T> =
  | { readonly server: T; readonly reason?: undefined }
  | { readonly server?: undefined; readonly reason: string }

/** Starts a server, or says why it cannot be had; the reason is printed, so that a skipped suite is never silent. */
export async function ifAvailable<T>(start: () => Promise<T>): Promise<Availability<T>> {
  try {
    return { server: await start() }
  } catch (error) {
    if (!(error instanceof ServerMissing)) throw error
    process.stderr.write(`skipped: ${error.message}\n`)
    return { reason: error.message }
  }
}
