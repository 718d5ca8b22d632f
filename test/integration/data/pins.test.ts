/** Pins from the master's namespace to the tiers of workers. */
import { afterEach, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { DataCluster, eventually, patternBytes, readFile, writeFile } from './cluster.ts'

const MIB = 2 ** 20
let cluster: DataCluster
afterEach(() => cluster.stop())

async function start(properties: Record<string, string> = {}) {
  cluster = await DataCluster.start({ memory: '8MB', ssd: '8MB', properties })
  return cluster.connect()
}
const OPTIONS = { writeType: 'CACHE_THROUGH', blockSizeBytes: MIB } as const
async function tiersOf(fs: FileSystem, path: string): Promise<string[]> {
  return (await fs.blockPlaces(path)).flatMap(({ locations }) => locations.map(({ tier }) => tier))
}

it('a file is moved to the medium of its pin, kept there, and let go when it is unpinned', async () => {
  const fs = await start()
  const bytes = patternBytes(1, 2 * MIB)
  await writeFile(fs, '/kept', bytes, OPTIONS)
  expect(await tiersOf(fs, '/kept')).toEqual(['MEM', 'MEM'])
  await fs.setAttribute('/kept', { pinned: true, media: ['SSD'] })
  await eventually(async () => (await tiersOf(fs, '/kept')).join() === 'SSD,SSD', 'moved')
  for (let i = 0; i < 12; i++) await writeFile(fs, `/other-${i}`, patternBytes(i, 2 * MIB), OPTIONS)
  expect(await tiersOf(fs, '/kept')).toEqual(['SSD', 'SSD'])
  expect((await readFile(fs, '/kept')).sources).toEqual({ 'local:SSD': bytes.length })
  await fs.setAttribute('/kept', { pinned: false })
  await eventually(async () => {
    for (let i = 0; i < 12; i++) await readFile(fs, `/other-${i}`, { readType: 'CACHE' })
    return !(await tiersOf(fs, '/kept')).includes('SSD')
  }, 'evicted')
})

it('files made in a pinned directory go to its medium with their first block, before any heartbeat', async () => {
  const fs = await start({ 'alluxio.worker.block.heartbeat.interval': '10min' })
  await fs.mkdir('/pinned')
  await fs.setAttribute('/pinned', { pinned: true, media: ['SSD'] })
  await writeFile(fs, '/pinned/small', patternBytes(1, 1000), OPTIONS)
  await writeFile(fs, '/pinned/large', patternBytes(2, 3 * MIB), OPTIONS)
  const wire = await cluster.connect({ 'alluxio.user.short.circuit.enabled': 'false' })
  await writeFile(wire, '/pinned/sent', patternBytes(3, 2 * MIB), OPTIONS)
  for (const name of ['small', 'large', 'sent'])
    expect(new Set(await tiersOf(fs, `/pinned/${name}`))).toEqual(new Set(['SSD']))
})

it('a worker that comes back knows the pins before anything can drive its blocks out', async () => {
  const fs = await start({ 'alluxio.worker.block.heartbeat.interval': '10min' })
  await writeFile(fs, '/kept', patternBytes(1, 2 * MIB), OPTIONS)
  await fs.setAttribute('/kept', { pinned: true, media: ['MEM'] })
  await cluster.stopWorker(0)
  await cluster.startWorker(0)
  for (let i = 0; i < 12; i++) await writeFile(fs, `/other-${i}`, patternBytes(i, 2 * MIB), OPTIONS)
  expect(await tiersOf(fs, '/kept')).toEqual(['MEM', 'MEM'])
})
