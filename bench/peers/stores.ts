/** The S3 servers that section s3 reads from. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from './machine.ts'
import { CACHE } from './upstream.ts'

/** An S3 server in memory that answers late and counts what it is asked. */
export interface LatencyStore {
  readonly endpoint: string
  put(key: string, content: Uint8Array): Promise<void>
  delay(ms: number): Promise<void>
  stats(): Promise<{ readonly calls: number; readonly bytesOut: number }>
  reset(): Promise<void>
  close(): Promise<void>
}

export async function latencyStore(bucket: string): Promise<LatencyStore> {
  const [port] = await freePorts(1)
  const child = spawn(join(CACHE, 's3lat'), ['-addr', `127.0.0.1:${port}`, '-bucket', bucket], {
    stdio: 'ignore',
  })
  const endpoint = `http://127.0.0.1:${port}`
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${endpoint}${path}`, init)
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    return await response.text()
  }
  for (let attempt = 0; !(await ask('/__stats').catch(() => '')); attempt++) {
    if (attempt === 50) throw new Error('the latency server does not answer')
    await sleep(100)
  }
  return {
    endpoint,
    put: async (key, content) =>
      void (await ask(`/${bucket}/${key}`, { method: 'PUT', body: Buffer.from(content.buffer) })),
    delay: async (ms) => void (await ask(`/__delay?d=${ms}ms`)),
    reset: async () => void (await ask('/__reset')),
    stats: async () => {
      const counters = JSON.parse(await ask('/__stats')) as Record<string, number>
      return { calls: counters.total ?? 0, bytesOut: counters.bytes_out ?? 0 }
    },
    close: async () => void child.kill(),
  }
}

/** MinIO from the cache, built from its Go module when absent. */
export async function minioProgram(): Promise<string> {
  const program = join(CACHE, 'minio')
  if (!existsSync(program)) {
    process.stderr.write(`building ${program} (once)\n`)
    execFileSync('go', ['install', 'github.com/minio/minio@latest'], {
      env: { ...process.env, GOBIN: CACHE },
      stdio: ['ignore', 2, 2],
    })
  }
  return program
}
