/**
 * The local store on a folder where another file system is mounted. Every operation makes sure first that it still is:
 * an unmounted folder is an empty one, whose files would be taken for deleted, and to which writes would be lost.
 */
import { readFile, realpath, stat } from 'node:fs/promises'
import { AlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { type ChunkSource, iterable } from '../layers/around.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { LocalStore } from './local-store.ts'

/** A line of /proc/self/mountinfo. */
export interface Mount {
  /** Where it is mounted. */
  readonly place: string
  /** The folder of the file system that is shown there; `/` unless only a part is mounted. */
  readonly root: string
  /** Such as `ceph` or `fuse.glusterfs`. */
  readonly type: string
  /** What is mounted, in the words of the file system. */
  readonly source: string
}

export interface MountedStoreOptions {
  readonly scheme: string
  /** What the operator named as the mounted folder. */
  readonly folder: string
  /** The option that names it, for messages. */
  readonly option: string
  readonly sync: boolean
  /** Age, ms, at which files of killed writers go; 0: never. */
  readonly temporaryAgeMs: number
  /** What should be mounted there, for messages. */
  readonly expected: string
  /**
   * The folder of the store when `mount` is the right one and `inside` is where the operator's folder lies below its place;
   * undefined when something else is mounted.
   */
  readonly root: (mount: Mount, inside: string) => string | undefined
}

export interface MountedStoreModules {
  readonly runtime: Runtime
  readonly log: Log
  /** The text of /proc/self/mountinfo. @default read from there */
  readonly mounts?: () => Promise<string>
}

export function mountedStore(options: MountedStoreOptions, modules: MountedStoreModules): UnderStore {
  const guard = new MountGuard(options, modules)
  const { scheme, sync, temporaryAgeMs } = options
  const local = (root: string) => new LocalStore({ root, sync, temporaryAgeMs }, modules)
  let store: LocalStore | undefined
  const checked = async (): Promise<LocalStore> => {
    const { root, changed } = await guard.check()
    if (store === undefined || changed) store = local(root)
    return store
  }
  return {
    scheme,
    capabilities: local(options.folder).capabilities,
    open: (path, read) => iterable(() => new CheckedRead(path, read, checked)),
    create: async (path, given) => (await checked()).create(path, given),
    status: async (path, signal) => (await checked()).status(path, signal),
    list: async (path, given) => (await checked()).list(path, given),
    mkdir: async (path, given) => (await checked()).mkdir(path, given),
    delete: async (path, given) => (await checked()).delete(path, given),
    rename: async (src, dst, signal) => (await checked()).rename(src, dst, signal),
    space: async (signal) => (await checked()).space(signal),
    setAttributes: async (path, attributes, signal) =>
      (await checked()).setAttributes(path, attributes, signal),
    close: async () => store?.close(),
  }
}

class CheckedRead implements ChunkSource {
  readonly #path: string
  readonly #options: UfsReadOptions
  readonly #store: () => Promise<UnderStore>
  #inner: AsyncIterator<Uint8Array> | undefined

  constructor(path: string, options: UfsReadOptions, store: () => Promise<UnderStore>) {
    this.#path = path
    this.#options = options
    this.#store = store
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    this.#inner ??= (await this.#store()).open(this.#path, this.#options)[Symbol.asyncIterator]()
    return this.#inner.next()
  }

  async return(): Promise<void> {
    await this.#inner?.return?.()
  }
}

class MountGuard {
  readonly #options: MountedStoreOptions
  readonly #mounts: () => Promise<string>
  /** What was found, and the device of the folder then: another device is another mount, or none. */
  #known: { readonly device: number; readonly root: string } | undefined

  constructor(options: MountedStoreOptions, modules: MountedStoreModules) {
    this.#options = options
    this.#mounts = modules.mounts ?? (() => readFile('/proc/self/mountinfo', 'utf8'))
  }

  async check(): Promise<{ readonly root: string; readonly changed: boolean }> {
    const { folder } = this.#options
    const device = await stat(folder).then(
      ({ dev }) => dev,
      (error: NodeJS.ErrnoException) => {
        throw this.#notMounted(error.code ?? 'it cannot be looked at', error)
      },
    )
    if (this.#known?.device === device) return { root: this.#known.root, changed: false }
    this.#known = { device, root: await this.#find() }
    return { root: this.#known.root, changed: true }
  }

  async #find(): Promise<string> {
    const real = await realpath(this.#options.folder)
    const mount = mountOf(real, await this.#mounts())
    if (mount === undefined) throw this.#notMounted('nothing is mounted there')
    const inside = mount.place === '/' ? real : real.slice(mount.place.length)
    const root = this.#options.root(mount, inside.replace(/\/+$/, ''))
    if (root === undefined)
      throw this.#notMounted(`${mount.source} of type ${mount.type} is mounted at ${mount.place}`)
    return root
  }

  #notMounted(found: string, cause?: unknown): AlluxioError {
    const { folder, expected, option } = this.#options
    return new AlluxioError(
      'UNAVAILABLE',
      `${folder} is no mount of ${expected} (${found}): mount it, or correct ${option}`,
      {
        reason: 'NOT_MOUNTED',
        details: { folder },
        cause,
      },
    )
  }
}

/** The mount that a folder lies in: of those whose place is above it the deepest, of the same place the last. */
export function mountOf(folder: string, table: string): Mount | undefined {
  let found: Mount | undefined
  for (const line of table.split('\n')) {
    const mount = parseMount(line)
    if (mount === undefined) continue
    const holds = mount.place === '/' || folder === mount.place || folder.startsWith(`${mount.place}/`)
    if (holds && mount.place.length >= (found?.place.length ?? 0)) found = mount
  }
  return found
}

/** `36 35 98:0 /root /place rw,noatime master:1 - type source rw`; spaces and the like are octal there. */
function parseMount(line: string): Mount | undefined {
  const [before, after] = line.split(' - ')
  const [, , , root, place] = before!.split(' ')
  const [type, source] = (after ?? '').split(' ')
  if (root === undefined || place === undefined || type === undefined || source === undefined)
    return undefined
  return { place: plain(place), root: plain(root), type, source: plain(source) }
}

function plain(text: string): string {
  if (!text.includes('\\')) return text
  const bytes = Buffer.from(text, 'utf8').toString('latin1')
  const decoded = bytes.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
  return Buffer.from(decoded, 'latin1').toString('utf8')
}
