/**
 * The file system of the MEM tier: a tmpfs of its own with huge pages where this process may mount one, else what is there.
 * `within_size` gives large files huge pages and leaves small ones at 4 KiB; `always` would take 2 MiB for each of them.
 */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { promisify } from 'node:util'
import { fromErrno } from '../core/index.ts'

export type RamdiskMode = 'Mount' | 'SudoMount' | 'NoMount'

export interface RamdiskOptions {
  readonly path: string
  readonly sizeBytes: number
  readonly mode: RamdiskMode
}

export interface Ramdisk {
  /** Folder to use for the MEM tier. */
  readonly path: string
  /** What was done. `existing`: a tmpfs was there already; `plain`: no mount was made or allowed. */
  readonly kind: 'mounted' | 'existing' | 'plain'
  /** Whether files get huge pages. */
  readonly hugePages: boolean
  readonly sizeBytes: number
  /** A line for logs, with the remedy where something better was possible. */
  readonly remark: string
}

/** Above the quota, for block heads, partial blocks' huge pages and files on their way out. */
const MARGIN = 1.05

/** Idempotent: a ramdisk that is mounted with another size is remounted. @throws errors of making the folder */
export async function mountRamdisk(options: RamdiskOptions): Promise<Ramdisk> {
  const { path, mode } = options
  try {
    fs.mkdirSync(path, { recursive: true })
  } catch (error) {
    throw fromErrno(error, 'mkdir', path)
  }
  const size = Math.ceil((options.sizeBytes * MARGIN) / 2 ** 20) * 2 ** 20
  const present = mountOf(path)
  if (present !== undefined) return remount(options, present, size)
  if (mode === 'NoMount') return plain(options, 'mounting is switched off (NoMount)')
  const problem = await mount(mode, ['-t', 'tmpfs', '-o', `size=${size},huge=within_size`, 'alluxio', path])
  if (problem === undefined) {
    return {
      path,
      kind: 'mounted',
      hugePages: true,
      sizeBytes: size,
      remark: `mounted a tmpfs with huge pages on ${path}`,
    }
  }
  const small = await mount(mode, ['-t', 'tmpfs', '-o', `size=${size}`, 'alluxio', path])
  if (small === undefined) {
    return {
      path,
      kind: 'mounted',
      hugePages: false,
      sizeBytes: size,
      remark: `mounted a tmpfs on ${path}; this kernel gives it no huge pages`,
    }
  }
  return plain(options, problem)
}

/**
 * Takes the mount away; what it held is gone as soon as no process has it open or mapped (hence lazily). Not being mounted is
 * no error.
 */
export async function unmountRamdisk(path: string, mode: RamdiskMode): Promise<boolean> {
  if (mountOf(path) === undefined || mode === 'NoMount') return false
  return (await run(mode, 'umount', ['-l', path])) === undefined
}

async function remount(options: RamdiskOptions, present: Mount, size: number): Promise<Ramdisk> {
  const { path, mode } = options
  const hugePages = /huge=(always|within_size)/.test(present.options)
  const now = fs.statfsSync(path)
  const total = now.blocks * now.bsize
  const known = { path, kind: 'existing', hugePages } as const
  if (mode === 'NoMount' || total >= size) {
    return { ...known, sizeBytes: total, remark: `${path} is a tmpfs already` }
  }
  const problem = await mount(mode, ['-o', `remount,size=${size}`, path])
  return problem === undefined
    ? { ...known, sizeBytes: size, remark: `grew the tmpfs on ${path} to ${size} bytes` }
    : { ...known, sizeBytes: total, remark: `${path} has ${total} bytes and cannot be grown: ${problem}` }
}

function plain({ path, sizeBytes }: RamdiskOptions, problem: string): Ramdisk {
  const line = `alluxio ${path} tmpfs size=${sizeBytes},huge=within_size,mode=0700 0 0`
  return {
    path,
    kind: 'plain',
    hugePages: false,
    sizeBytes,
    remark: `${path} is used as it is (${problem}); for twice the speed let root put into /etc/fstab: ${line}`,
  }
}

interface Mount {
  readonly options: string
}

/** The tmpfs that is mounted exactly on `path`. */
function mountOf(path: string): Mount | undefined {
  try {
    const real = fs.realpathSync(path)
    for (const line of fs.readFileSync('/proc/self/mounts', 'utf8').split('\n').reverse()) {
      const [, at, type, options] = line.split(' ')
      if (at?.replace(/\\040/g, ' ') === real && type === 'tmpfs') return { options: options ?? '' }
    }
  } catch {
    // No /proc: not Linux, nothing is mounted by us.
  }
  return undefined
}

function mount(mode: RamdiskMode, args: readonly string[]): Promise<string | undefined> {
  return run(mode, 'mount', args)
}

/** @returns why it failed, or undefined */
async function run(mode: RamdiskMode, command: string, args: readonly string[]): Promise<string | undefined> {
  const [file, argv] = mode === 'SudoMount' ? ['sudo', ['-n', command, ...args]] : [command, [...args]]
  try {
    await promisify(execFile)(file, argv, { timeout: 10_000 })
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return (stderr?.trim() || message).split('\n')[0]
  }
}
