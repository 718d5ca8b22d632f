/** Ports: whether one is free, and who holds it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { AlluxioError } from '../../core/index.ts'
import type { PortFact } from './facts.ts'

/** @throws UNAVAILABLE, reason ADDRESS_IN_USE, saying who holds the port and which key chooses another one */
export async function checkPort({ host, port, key }: PortFact, what: string): Promise<void> {
  if (port === 0 || (await canBind(host, port))) return
  const holder = portHolder(port)
  const free = await freePort(port, host)
  const by = holder === undefined ? 'another process' : `${holder.command} (pid ${holder.pid})`
  throw new AlluxioError('UNAVAILABLE', `port ${port} on ${host}, ${what}, is in use by ${by}`, {
    reason: 'ADDRESS_IN_USE',
    details: {
      port,
      key,
      ...(holder === undefined ? {} : { holder }),
      suggestions: [
        `Choose another port: -D${key}=${free} (with every command, or in conf/alluxio-site.properties)`,
        holder === undefined ? 'or stop the process that holds it' : `or stop it: kill ${holder.pid}`,
      ],
    },
  })
}

function canBind(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/** A free port near `from`. */
export async function freePort(from: number, host = '127.0.0.1'): Promise<number> {
  for (let port = from + 1; port < Math.min(65_536, from + 200); port++)
    if (await canBind(host, port)) return port
  return 0
}

/** The process that listens on a TCP port, where the system lets us see it (Linux). */
export function portHolder(port: number): { readonly pid: number; readonly command: string } | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeners(table, port)))
  if (inodes.size === 0) return undefined
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of names(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined && inodes.has(inode)) return { pid: Number(pid), command: commandOf(pid) }
    }
  }
  return undefined
}

/** Inodes of the sockets that listen (state 0A) on a port. */
function listeners(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text(table)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === '0A')
    .map((fields) => fields[9] ?? '')
}

function commandOf(pid: string): string {
  const words = text(`/proc/${pid}/cmdline`)
    .split('\0')
    .filter((word) => word !== '')
  return words.length === 0 ? 'a process' : words.join(' ').slice(0, 80)
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // another user's process, or gone
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
