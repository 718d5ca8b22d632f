/** CPU accounting that noisy neighbours cannot spoil: ticks of named processes against those of the whole machine. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'

/** Seconds in one tick of /proc (USER_HZ is 100 on Linux). */
const TICK_SECONDS = 0.01

function statFields(pid: number | 'self'): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

/** User and system seconds that the processes have used so far; one that has ended counts nothing. */
function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = statFields(pid)
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return ticks * TICK_SECONDS
}

function busySeconds(): number {
  const f = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).map(Number)
  return (f[1]! + f[2]! + f[3]! + f[6]! + f[7]!) * TICK_SECONDS
}

/** Counts CPU from its construction on. */
export class Meter {
  readonly #pids: readonly number[]
  readonly #cpu: number
  readonly #busy = busySeconds()
  readonly #started = performance.now()

  constructor(pids: readonly number[]) {
    this.#pids = pids
    this.#cpu = cpuSeconds(pids)
  }

  /** Seconds of CPU the processes used, and how many cores everything else kept busy meanwhile. */
  read(): { readonly cpu: number; readonly others: number; readonly wall: number } {
    const wall = (performance.now() - this.#started) / 1000
    const cpu = cpuSeconds(this.#pids) - this.#cpu
    return { cpu, others: Math.max(0, (busySeconds() - this.#busy - cpu) / wall), wall }
  }
}

/** The process and all its descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = Number(statFields(Number(name))[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** A field of /proc/PID/status in bytes, such as RssAnon. */
export function memoryBytes(pid: number, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return match ? Number(match[1]) * 1024 : 0
}

/**
 * Touches so much memory through a file in `folder` and gives it back. A virtual machine returns free memory to its host within
 * seconds, and the first touch afterwards costs up to 2 CPU s a GB: without this the side that goes second finds pages
 * that the first one paid for.
 */
export function warmMemory(folder: string, bytes: number): void {
  const path = join(folder, `warm-${process.pid}`)
  const chunk = Buffer.alloc(2 ** 20, 1)
  const fd = openSync(path, 'w+')
  try {
    ftruncateSync(fd, bytes)
    for (let at = 0; at < bytes; at += chunk.length)
      writeSync(fd, chunk, 0, Math.min(chunk.length, bytes - at), at)
  } finally {
    closeSync(fd)
    unlinkSync(path)
  }
}

export function loadAverage(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
}

/** `count` distinct ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** What the results were measured on. */
export function machineHeader(root: string): Record<string, unknown> {
  const say = (command: string, args: string[]) => {
    try {
      return execFileSync(command, args, {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }).trim()
    } catch {
      return 'unknown'
    }
  }
  return {
    date: new Date().toISOString(),
    revision: say('git', ['rev-parse', '--short=12', 'HEAD']),
    // Uncommitted files under src mean that the revision does not say what ran.
    dirty: say('git', ['status', '--porcelain', '--', 'src', 'bin']).split('\n').filter(Boolean).length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: loadAverage(),
  }
}
