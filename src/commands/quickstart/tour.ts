/** The main job, shown step by step. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileReader, FileStatus, FileSystem } from '../../client/index.ts'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, formatBytes, isAlluxioError, type Runtime, sleep } from '../../core/index.ts'
import { PERMISSION_ENABLED, ROOT_UFS } from '../../core/options/index.ts'
import { columns, percent } from '../format.ts'
import { lsLine } from '../fs/ls.ts'
import { type DataSource, FILES } from './data.ts'

export interface Tour {
  readonly fs: FileSystem
  readonly say: (text: string) => void
  readonly signal: AbortSignal
  readonly runtime: Runtime
  /** Folder of the installation. */
  readonly home: string
}

export interface TimedRead {
  readonly path: string
  readonly temperature: 'cold' | 'warm'
  readonly bytes: number
  /** Bytes by source: UFS, local:MEM, local:SSD … */
  readonly sources: Readonly<Record<string, number>>
  readonly seconds: number
  /** How many times faster than the cold read. */
  readonly speedup?: number
}

const LISTED = 6
const REPORT_MS = 5_000
const WRITTEN = '/quickstart-summary.csv'

export async function showListing({ fs, say }: Tour, source: DataSource): Promise<void> {
  const children: FileStatus[] = []
  for await (const child of fs.list(source.path)) children.push(child)
  for (const child of children.slice(0, LISTED))
    say(lsLine(child, child.lastModificationTimeMs, { acl: true, human: true }))
  if (children.length > LISTED) say(`… and ${children.length - LISTED} more`)
}

/** Reads each file without a copy in Alluxio, then again: the median of three reads, as a read of milliseconds is easily disturbed. */
export async function timedReads(tour: Tour, source: DataSource): Promise<TimedRead[]> {
  await freeAll(tour, source)
  const reads: TimedRead[] = []
  for (const name of FILES) {
    const path = `${source.path}/${name}`
    const cold = await timedRead(tour, path)
    const warm = await median(() => timedRead(tour, path))
    const speedup = cold.seconds / warm.seconds
    reads.push({ ...cold, temperature: 'cold' }, { ...warm, temperature: 'warm', speedup })
    tour.say(
      `${name}: ${formatBytes(cold.bytes)}, ${cold.seconds.toFixed(3)} s from ${sourceWords(cold.sources)}, then ${warm.seconds.toFixed(3)} s from ${sourceWords(warm.sources)}`,
    )
  }
  return reads
}

async function median<T extends { readonly seconds: number }>(read: () => Promise<T>): Promise<T> {
  const reads = [await read(), await read(), await read()]
  return reads.sort((a, b) => a.seconds - b.seconds)[1]!
}

/** A run before this one left copies that would make a cold read warm: drops them and waits until workers have done so. */
async function freeAll({ fs, runtime, signal }: Tour, source: DataSource): Promise<void> {
  const blocksOf = async (): Promise<number> =>
    (await fs.admin.workers()).reduce((sum, worker) => sum + worker.blocks, 0)
  let cached = 0
  for (const name of FILES) {
    const places = await fs.blockPlaces(`${source.path}/${name}`)
    cached += places.reduce((sum, { locations }) => sum + locations.length, 0)
  }
  if (cached === 0) return
  const left = (await blocksOf()) - cached
  for (const name of FILES) await fs.free(`${source.path}/${name}`, { recursive: true, forced: true })
  const deadline = runtime.monotonic() + REPORT_MS
  while ((await blocksOf()) > left && runtime.monotonic() < deadline) await sleep(runtime, 50, signal)
}

async function timedRead(
  { fs, runtime, signal }: Tour,
  path: string,
): Promise<Omit<TimedRead, 'temperature'>> {
  const started = runtime.monotonic()
  const reader = await fs.open(path, { readType: 'CACHE', signal })
  try {
    const bytes = await drain(reader, signal)
    const seconds = (runtime.monotonic() - started) / 1000
    if (bytes !== reader.length)
      throw new AlluxioError('DATA_LOSS', `${path}: read ${bytes} of ${reader.length} bytes`)
    return { path, bytes, sources: { ...reader.sources }, seconds }
  } finally {
    await reader.close()
  }
}

/** Reads everything and looks at each page, so that mapped memory is really fetched. */
async function drain(reader: FileReader, signal: AbortSignal): Promise<number> {
  let bytes = 0
  let sum = 0
  for await (const chunk of reader.stream({ signal })) {
    for (let i = 0; i < chunk.length; i += 4096) sum += chunk[i]!
    bytes += chunk.length
  }
  return sum < 0 ? 0 : bytes
}

export function sourceWords(sources: Readonly<Record<string, number>>): string {
  const used = Object.entries(sources).filter(([, bytes]) => bytes > 0)
  return used.length === 0 ? 'nowhere' : used.map(([source]) => source.replace(/^local:/, '')).join(' + ')
}

export async function showPlaces({ fs, say, runtime, signal }: Tour, source: DataSource): Promise<void> {
  await reported(fs, `${source.path}/${FILES.at(-1)}`, runtime, signal)
  const rows: string[][] = []
  for (const name of FILES) {
    for (const { blockId, offset, length, locations } of await fs.blockPlaces(`${source.path}/${name}`)) {
      const places = locations.map(({ host, tier }) => `${tier} of ${host}`)
      rows.push([
        name,
        `block ${blockId}`,
        `at ${formatBytes(offset)}`,
        formatBytes(length),
        places.join(', ') || 'nowhere yet',
      ])
    }
  }
  for (const line of columns(rows, [2, 3])) say(line)
}

/** Waits for the heartbeat in which the worker tells of the last blocks. */
async function reported(fs: FileSystem, path: string, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const deadline = runtime.monotonic() + REPORT_MS
  while (runtime.monotonic() < deadline) {
    if ((await fs.blockPlaces(path)).every(({ locations }) => locations.length > 0)) return
    await sleep(runtime, 50, signal)
  }
}

/** Writes a small file with CACHE_THROUGH and looks at it in the under-store with plain file operations. */
export async function showWrite({ fs, say }: Tour, config: Config): Promise<void> {
  const rows = ['file,bytes', ...(await sizes(fs))]
  const text = `${rows.join('\n')}\n`
  await fs.delete(WRITTEN).catch((error: unknown) => {
    if (!isAlluxioError(error, 'NOT_FOUND')) throw error
  })
  const writer = await fs.create(WRITTEN, { writeType: 'CACHE_THROUGH' })
  await writer.write(Buffer.from(text))
  const status = await writer.close()
  say(
    `Wrote ${WRITTEN}, ${status.length} bytes: ${status.persistenceState}, ${status.inAlluxioPercentage}% in Alluxio`,
  )
  const root = config.get(ROOT_UFS).replace(/^file:\/\//, '')
  if (!root.startsWith('/')) return say(`It is in ${root}${WRITTEN}`)
  const file = join(root, WRITTEN)
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    throw new AlluxioError('DATA_LOSS', `${WRITTEN} was acknowledged, but ${file} does not hold it`)
  }
  say(`The same bytes in the under-store: ${file}`)
  if (!config.get(PERMISSION_ENABLED)) say('Permissions are not checked in this cluster')
}

async function sizes(fs: FileSystem): Promise<string[]> {
  const rows: string[] = []
  for await (const { path, length, folder } of fs.list('/quickstart', { recursive: true })) {
    if (!folder && FILES.some((name) => path.endsWith(name))) rows.push(`${path},${length}`)
  }
  return rows
}

/** Which hosts hold how much of each file: where its readers should run. */
export async function showHosts({ fs, say }: Tour, sources: readonly DataSource[]): Promise<void> {
  const rows: string[][] = []
  for (const { path } of sources) {
    for (const name of FILES) {
      const held = new Map<string, number>()
      let total = 0
      for (const { length, locations } of await fs.blockPlaces(`${path}/${name}`)) {
        total += length
        for (const host of new Set(locations.map((location) => location.host)))
          held.set(host, (held.get(host) ?? 0) + length)
      }
      const ranked = [...held].sort((a, b) => b[1] - a[1])
      const hosts = ranked.map(([host, bytes]) => `${host} (${percent(bytes, total)}% of its bytes)`)
      rows.push([`${path}/${name}`, hosts.join(', ') || 'any: nothing is cached'])
    }
  }
  for (const line of columns(rows)) say(line)
}
