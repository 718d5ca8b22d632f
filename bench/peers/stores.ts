/** The S3 servers that section s3 reads from. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE } from './upstream.ts'

/** An S3 server in memory that answers late and counts what it is asked: test/support/s3-latency. */
export interface LatencyStore {
  readonly endpoint: string
  /** Objects `prefix000000`, `prefix000001`, … */
  fill(prefix: string, count: number, bytes: number): Promise<void>
  stats(): Promise<{ readonly calls: number; readonly bytesOut: number }>
  reset(): Promise<void>
  close(): void
}

export async function latencyStore(bucket: string, delayMs: number): Promise<LatencyStore> {
  const program = join(CACHE, 's3-latency')
  const source = join(import.meta.dirname, '../../test/support/s3-latency')
  // Go rebuilds only what has changed.
  execFileSync('go', ['build', '-o', program, '.'], { cwd: source, stdio: ['ignore', 2, 2] })
  const child = spawn(program, ['-bucket', bucket, '-delay', `${delayMs}ms`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const endpoint = line.toString().trim()
  const control = async (order: string) => await (await fetch(`${endpoint}/_control/${order}`)).text()
  return {
    endpoint,
    fill: async (prefix, count, bytes) =>
      void (await control(`fill?bucket=${bucket}&prefix=${prefix}&count=${count}&bytes=${bytes}`)),
    reset: async () => void (await control('reset')),
    stats: async () => {
      const { calls, bytesOut } = JSON.parse(await control('stats'))
      return { calls: Object.values(calls as Record<string, number>).reduce((a, b) => a + b, 0), bytesOut }
    },
    close: () => void child.kill(),
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
