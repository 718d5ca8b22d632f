/** The first command of the README, and the same with a real S3 server. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startMinio } from '../../support/servers/index.ts'
import { Place } from './command.ts'

interface Quickstart {
  readonly running: boolean
  readonly reads: {
    path: string
    temperature: string
    bytes: number
    sources: Record<string, number>
    speedup?: number
  }[]
}

let place: Place
beforeAll(async () => {
  place = await Place.make()
})
afterAll(() => place.dispose())

/** The quickstart chooses its own tiers; only where memory is differs, so that tests do not meet in /dev/shm. */
const memory = () => [
  `-Dalluxio.worker.tieredstore.level0.dirs.path=${place.memory}`,
  '-Dalluxio.worker.tieredstore.level0.dirs.quota=256MB',
]

test('two runs and one with --once', async () => {
  const { status, stdout, stderr } = await place.run(['quickstart', ...memory()])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  for (const words of [
    'Formatted',
    'The master serves',
    'The worker serves',
    'Mounted file://',
    'flights-3m.parquet',
    'from UFS',
    'from MEM',
    'CACHE_THROUGH',
    'The same bytes in the under-store',
    'Speed-up',
    '# ',
  ]) {
    expect(stdout).toContain(words)
  }
  expect(stdout).toMatch(/flights-3m\.parquet +warm +\d+\.\d\dMB +MEM +\d/)
  expect(existsSync(join(place.folder, 'data', 'underFSStorage', 'quickstart-summary.csv'))).toBe(true)
  // Left running, and found without any -D.
  expect((await place.run(['status'])).status).toBe(0)
  expect(await place.ok('fs', 'ls', '/quickstart/vega')).toContain('/quickstart/vega/birdstrikes.csv')

  const again = await place.run(['quickstart', ...memory()])
  expect(again.status).toBe(0)
  expect(again.stdout).toContain('was already running')
  expect(again.stdout).toContain('is mounted at /quickstart/vega already')

  const once = await place.run(['quickstart', '--once', '--json', ...memory()])
  expect(once.status).toBe(0)
  const facts = JSON.parse(once.stdout) as Quickstart
  expect(facts.running).toBe(false)
  expect(facts.reads).toHaveLength(10)
  for (const { temperature, bytes, sources } of facts.reads) {
    const fromStore = sources.UFS ?? 0
    expect(Object.values(sources).reduce((sum, part) => sum + part, 0)).toBe(bytes)
    expect(fromStore).toBe(temperature === 'cold' ? bytes : 0)
  }
  expect((await place.run(['status'])).status).toBe(69)
}, 240_000)

test('--s3 mounts a bucket, fills it when it is empty, and reads through it', async () => {
  const server = await startMinio()
  try {
    await place.run(['stop'])
    const env = { AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey }
    const words = ['quickstart', '--s3', `${server.endpoint}/${server.bucket}`, ...memory()]
    const first = await place.run(words, { env })
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' })
    expect(first.stdout).toContain('Uploaded flights-3m.parquet')
    expect(first.stdout).toContain('/quickstart/s3/flights-3m.parquet')
    expect(first.stdout).not.toContain(server.secretKey)
    const second = await place.run([...words, '--once', '--json'], { env })
    expect(second.status).toBe(0)
    const { reads } = JSON.parse(second.stdout) as Quickstart
    expect(reads.filter(({ path }) => path.startsWith('/quickstart/s3/'))).toHaveLength(10)
  } finally {
    await server.stop()
  }
}, 240_000)
