/**
 * One volume as this process sees it: one client of libgfapi, which keeps a connection to each brick, shared by all mounts of the
 * volume. Its calls are the system calls of a file system, by paths from the root of the volume.
 */
import { AlluxioError, type Log, type Runtime } from '../../core/index.ts'
import { STAT_BYTES, STATVFS_BYTES, type Stat, spaceOf, statOf } from './layout.ts'
import { type Argument, type FunctionName, Library, type Pointer } from './library.ts'
import { type Asking, type Caller, OpenDirectory, OpenFile, ownerId } from './open-files.ts'
import { Lanes, type Threads } from './threads.ts'

export interface VolumeOptions {
  /** Where glusterd runs; the first that answers is used. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly volume: string
  /** File of libgfapi. */
  readonly library: string
  /** Milliseconds after which one call is given up. */
  readonly deadlineMs: number
  /** Milliseconds of silence after which the library takes a brick for gone. */
  readonly silenceMs: number
}

export interface VolumeModules {
  readonly threads: Threads
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
  readonly onApiCall: (api: string) => void
}

const CLOSING: ReadonlySet<FunctionName> = new Set(['glfs_close', 'glfs_closedir', 'glfs_fini'])
const LOG_ERRORS = 4
const MOST_LEFTOVERS = 1000
const PATH_BYTES = 4097
/** Of <fcntl.h>, the same on every processor that has a table in layout.ts. */
const O_RDONLY = 0
const NO_FOLLOW = 0
const O_WRONLY = 1
const O_EXCL = 0o200

export class Volume {
  readonly #options: VolumeOptions
  readonly #m: VolumeModules
  readonly #lanes: Lanes
  #library: Library | undefined
  #client: Promise<bigint> | undefined
  #connectedTo: Pointer = null
  #closed = false
  /** Temporary files of which nothing is known but that they may be there. */
  readonly #leftovers = new Map<string, Asking>()

  constructor(options: VolumeOptions, modules: VolumeModules) {
    this.#options = options
    this.#m = modules
    this.#lanes = new Lanes(`the volume ${options.volume} of ${addresses(options)}`, modules.threads)
  }

  /** A file to read with its status, which is that of the very file opened; of what is no file only the status. */
  async open(place: string, asking: Asking): Promise<{ readonly stat: Stat; readonly file?: OpenFile }> {
    const bytes = Buffer.alloc(STAT_BYTES)
    const close = (given: unknown) => void this.#library!.now('glfs_h_close', given as bigint)
    const object = (await this.#of(
      'glfs_h_lookupat',
      [null, place, bytes, NO_FOLLOW],
      asking,
      close,
    )) as bigint
    const stat = statOf(bytes)
    if (stat?.kind !== 'file') {
      close(object)
      if (stat === undefined) throw new AlluxioError('UNAVAILABLE', `open ${asking.path}: it has no type`)
      return { stat }
    }
    return { stat, file: new OpenFile(await this.#openObject(object, asking, close), this.#caller) }
  }

  /** Closes the object when the library has done with it, however long that takes. */
  async #openObject(object: bigint, asking: Asking, close: (object: bigint) => void): Promise<bigint> {
    let began = false
    const what = `glfs_h_open ${asking.path}`
    const { deadlineMs } = this.#options
    const onLate = (fd: unknown) => void this.#call('glfs_close', [fd as bigint], asking).catch(() => {})
    this.#m.onApiCall('glfs_h_open')
    try {
      const fd = await this.#lanes.run<unknown>(
        { what, signal: asking.signal, deadlineMs, onLate },
        (done) => {
          began = true
          const args = [this.#connectedTo, object, O_RDONLY]
          this.#library!.start('glfs_h_open', args, (error, result) => {
            close(object)
            done(error, result)
          })
        },
      )
      return fd as bigint
    } finally {
      if (!began) close(object)
    }
  }

  /** A new file to write. @throws EEXIST */
  async create(place: string, mode: number, asking: Asking): Promise<OpenFile> {
    const fd = await this.#opened('glfs_creat', [place, O_WRONLY | O_EXCL, mode], asking)
    if (this.#leftovers.size > 0) this.#removeLeftovers()
    return new OpenFile(fd, this.#caller)
  }

  async openDirectory(place: string, asking: Asking): Promise<OpenDirectory> {
    try {
      const fd = await this.#opened('glfs_opendir', [place], asking, 'glfs_closedir')
      return new OpenDirectory(fd, this.#caller)
    } catch (error) {
      // Without its bricks the library takes the root for something else than a directory.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error
      if ((await this.lstat(place, asking)).kind !== 'directory') throw error
      throw new AlluxioError('UNAVAILABLE', `glfs_opendir ${asking.path || '/'}: no brick answers for it`, {
        reason: 'ENOTCONN',
        cause: error,
      })
    }
  }

  /** Of a link itself. No path may have a link in it (`places.ts`), here and below. */
  lstat(place: string, asking: Asking): Promise<Stat> {
    return this.#stat('glfs_lstat', place, asking)
  }

  /** What a link says. */
  async readlink(place: string, asking: Asking): Promise<string> {
    const text = Buffer.alloc(PATH_BYTES)
    const length = await this.#of('glfs_readlink', [place, text, text.length - 1], asking)
    return text.toString('utf8', 0, Number(length))
  }

  async space(asking: Asking): Promise<ReturnType<typeof spaceOf>> {
    const bytes = Buffer.alloc(STATVFS_BYTES)
    await this.#of('glfs_statvfs', ['/', bytes], asking)
    return spaceOf(bytes)
  }

  async mkdir(place: string, mode: number, asking: Asking): Promise<void> {
    await this.#of('glfs_mkdir', [place, mode], asking)
  }

  async rmdir(place: string, asking: Asking): Promise<void> {
    await this.#of('glfs_rmdir', [place], asking)
  }

  async unlink(place: string, asking: Asking): Promise<void> {
    await this.#of('glfs_unlink', [place], asking)
  }

  /** A second name. @throws EEXIST */
  async link(place: string, other: string, asking: Asking): Promise<void> {
    await this.#of('glfs_link', [place, other], asking)
  }

  async rename(from: string, to: string, asking: Asking): Promise<void> {
    await this.#of('glfs_rename', [from, to], asking)
  }

  async chmod(place: string, mode: number, asking: Asking): Promise<void> {
    await this.#of('glfs_chmod', [place, mode], asking)
  }

  /** -1 leaves an id as it is. */
  async chown(place: string, uid: number, gid: number, asking: Asking): Promise<void> {
    await this.#of('glfs_chown', [place, ownerId(uid), ownerId(gid)], asking)
  }

  /** Unlinks what a broken-off write left; if the volume is gone just now, when it is written to again. */
  async remove(place: string, asking: Asking): Promise<void> {
    this.#leftovers.delete(place)
    await this.unlink(place, asking).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && this.#leftovers.size < MOST_LEFTOVERS) this.#leftovers.set(place, asking)
    })
  }

  #removeLeftovers(): void {
    for (const [place, asking] of [...this.#leftovers]) void this.remove(place, asking)
  }

  /** Calls that are past their deadline and have not come back. */
  get stuck(): number {
    return this.#lanes.stuck
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = await this.#client?.catch(() => undefined)
    if (client === undefined) return
    if (this.#lanes.running > 0) {
      // The library waits for its calls; one that hangs would hang the end of this process.
      this.#m.log.warn('a volume is left open because calls to it have not come back', {
        volume: this.#options.volume,
      })
      return
    }
    await this.#call('glfs_fini', [client], { path: '/' }).catch((error: unknown) => {
      this.#m.log.debug('closing a volume failed', { volume: this.#options.volume, error })
    })
  }

  async #stat(name: FunctionName, place: string, asking: Asking): Promise<Stat> {
    const bytes = Buffer.alloc(STAT_BYTES)
    await this.#of(name, [place, bytes], asking)
    const stat = statOf(bytes)
    if (stat === undefined) throw new AlluxioError('UNAVAILABLE', `${name} ${asking.path}: it has no type`)
    return stat
  }

  async #opened(
    name: FunctionName,
    args: readonly Argument[],
    asking: Asking,
    closing: 'glfs_close' | 'glfs_closedir' = 'glfs_close',
  ): Promise<bigint> {
    // What is opened for nobody is closed again.
    const onLate = (fd: unknown) => void this.#call(closing, [fd as bigint], asking).catch(() => {})
    return (await this.#of(name, args, asking, onLate)) as bigint
  }

  /** A function of the client. */
  async #of(
    name: FunctionName,
    args: readonly Argument[],
    asking: Asking,
    onLate?: (result: unknown) => void,
  ): Promise<unknown> {
    const client = await this.#connected(asking)
    return this.#call(name, [client, ...args], asking, onLate)
  }

  readonly #caller: Caller = {
    call: (name, args, asking) => this.#call(name, args, asking),
    now: (name, ...args) => this.#library!.now(name, ...args),
  }

  #call(
    name: FunctionName,
    args: readonly Argument[],
    asking: Asking,
    onLate?: (result: unknown) => void,
  ): Promise<unknown> {
    // The next entry mostly comes out of the library's memory.
    if (name !== 'glfs_readdirplus_r') this.#m.onApiCall(name)
    const library = this.#library!
    const { deadlineMs } = this.#options
    const { path, signal } = asking
    const patient = CLOSING.has(name)
    const what = `${name} ${path || '/'}`
    return this.#lanes.run(
      { what, signal: patient ? undefined : signal, deadlineMs, patient, onLate },
      (done) => library.start(name, args, done),
    )
  }

  /** One attempt for all who wait; the next call after a failed one tries again. */
  async #connected(asking: Asking): Promise<bigint> {
    if (this.#closed) throw new AlluxioError('CANCELLED', `the volume ${this.#options.volume} is closed`)
    if (this.#client === undefined) {
      const client = this.#connect(asking.path)
      client.catch(() => {
        if (this.#client === client) this.#client = undefined
      })
      this.#client = client
    }
    return this.#client
  }

  async #connect(path: string): Promise<bigint> {
    const { hosts, volume } = this.#options
    this.#library ??= Library.load(this.#options.library)
    const library = this.#library
    const client = library.now('glfs_new', volume) as Pointer
    if (client === null) throw new AlluxioError('RESOURCE_EXHAUSTED', 'libgfapi gave no client')
    library.now('glfs_set_logging', client, '/dev/null', LOG_ERRORS)
    for (const { host, port } of hosts) library.now('glfs_set_volfile_server', client, 'tcp', host, port)
    for (const [translator, option, value] of this.#translatorOptions()) {
      library.now('glfs_set_xlator_option', client, translator, option, value)
    }
    const finish = () => void this.#call('glfs_fini', [client], { path }).catch(() => {})
    try {
      await this.#call('glfs_init', [client], { path }, finish)
      this.#connectedTo = client
      return client
    } catch (error) {
      if ((error as NodeJS.ErrnoException).errno !== undefined) finish()
      throw this.#unreachable(error)
    }
  }

  /** The library's own patience and caches: what is cached is cached by us, and must be true when it is asked for. */
  #translatorOptions(): readonly (readonly [translator: string, option: string, value: string])[] {
    const { deadlineMs, silenceMs } = this.#options
    const seconds = (ms: number) => String(Math.max(1, Math.ceil(ms / 1000)))
    return [
      ['*-client-*', 'ping-timeout', seconds(silenceMs)],
      ['*-client-*', 'frame-timeout', seconds(deadlineMs)],
      ['*-md-cache', 'md-cache-timeout', '0'],
      ['*-io-cache', 'cache-timeout', '0'],
      ['*-quick-read', 'cache-timeout', '0'],
    ]
  }

  #unreachable(error: unknown): unknown {
    const { errno, code, message } = error as NodeJS.ErrnoException
    if (errno === undefined) return error
    const { volume } = this.#options
    const at = addresses(this.#options)
    const missing = code === 'ENOENT' || code === 'EINVAL'
    return new AlluxioError(
      missing ? 'NOT_FOUND' : 'UNAVAILABLE',
      missing
        ? `${at} has no started volume ${volume}: make it, start it (gluster volume start ${volume}), or correct the name (${message})`
        : `the volume ${volume} cannot be reached at ${at}: check that glusterd and its bricks run and that this host may connect (${message})`,
      { reason: missing ? 'VOLUME_MISSING' : (code ?? 'ENOTCONN'), cause: error },
    )
  }
}

function addresses({ hosts }: VolumeOptions): string {
  return hosts.map(({ host, port }) => `${host}:${port}`).join(', ')
}
