/** Mounts, the maintenance of their stores, and the configuration of paths: the parts of MasterFs and MasterAdmin about them. */
import {
  AlluxioError,
  CONSISTENCY_KEY,
  canonicalPath,
  isAlluxioError,
  type Log,
  type Runtime,
  toAlluxioError,
} from '../../../core/index.ts'
import { UFS_RETRY_MAX } from '../../../core/options/index.ts'
import type { Caller, Mount, Namespace } from '../../../namespace/index.ts'
import type { Call, Handlers, MasterAdmin, MasterFs } from '../../../rpc/index.ts'
import { parseUfsUri, shownOptions, type UfsCapabilities } from '../../../ufs/index.ts'
import type { UnderStores } from '../../under-stores.ts'
import { answeredWithin } from './answer-deadline.ts'
import type { BlockFreer } from './block-freer.ts'
import type { Callers } from './callers.ts'
import type { MetadataLoader } from './metadata-loader.ts'
import type { PathLocks } from './path-locks.ts'
import type { Persistence } from './persistence.ts'

type Fs = Handlers<typeof MasterFs>
type Admin = Handlers<typeof MasterAdmin>

export interface MountServiceOptions {
  /** Longest that a mount waits for its store, ms. */
  readonly answerMs: number
}

export interface MountServiceModules {
  readonly namespace: Namespace
  readonly stores: UnderStores
  readonly loader: MetadataLoader
  readonly locks: PathLocks
  readonly persistence: Persistence
  readonly freer: BlockFreer
  readonly callers: Callers
  readonly runtime: Runtime
  readonly log: Log
}

/** While a mount is being made, a store that is down is not waited for as long as later on. */
const PROBE_RETRIES = { [UFS_RETRY_MAX.key]: '2s' }

export class MountService
  implements
    Pick<Fs, 'mount' | 'updateMount' | 'unmount' | 'mounts' | 'pathConf'>,
    Pick<Admin, 'setUfsMode' | 'cleanUfs' | 'setPathConf'>
{
  readonly #options: MountServiceOptions
  readonly #modules: MountServiceModules
  /** Ids that no mount has, for stores that are opened to see whether they answer. */
  #probe = -1
  /** Stores that are being cleaned. */
  #cleaning = 0

  constructor(options: MountServiceOptions, modules: MountServiceModules) {
    this.#options = options
    this.#modules = modules
  }

  readonly mount: Fs['mount'] = async (request, call) => {
    const path = canonicalPath(request.path)
    const { namespace, loader, locks } = this.#modules
    const { force, ...rest } = request
    parseUfsUri(request.uri)
    if (namespace.inode(path) === undefined) {
      // What the store above holds there must not be hidden by the mount.
      const search = loader.find(path)
      if (search !== false) await search
    }
    const caller = this.#caller(call)
    const asked = force !== true && namespace.isSuperuser(caller)
    const store = asked ? await this.#check(request.uri, request.options, `mount ${request.uri}`) : undefined
    const readOnly = request.readOnly || store?.readOnly === true
    return locks.exclusive([path], () => namespace.mounts.add({ ...rest, readOnly, path }, caller))
  }

  readonly updateMount: Fs['updateMount'] = async (request, call) => {
    const path = canonicalPath(request.path)
    const { namespace, locks } = this.#modules
    const { shared, options, force } = request
    const known = namespace.mounts.all().find((mount) => mount.path === path)
    const caller = this.#caller(call)
    const asked = known !== undefined && force !== true && namespace.isSuperuser(caller)
    const what = `reach ${known?.uri} with these options`
    const store = asked ? await this.#check(known.uri, options, what) : undefined
    const readOnly = request.readOnly || store?.readOnly === true
    await locks.exclusive([path], () => namespace.mounts.update({ path, readOnly, shared, options }, caller))
    return {}
  }

  readonly unmount: Fs['unmount'] = async ({ path: given, commandId }, call) => {
    const path = canonicalPath(given)
    const { namespace, locks, stores, freer, log } = this.#modules
    // What waits for a store that never comes back ends with its mount.
    await locks.blocking(path)?.catch(() => {})
    const mount = await namespace.mounts.remove({ path, commandId }, this.#caller(call))
    stores.forget(mount.mountId).catch((error) => log.warn('store not closed cleanly', { path, error }))
    freer.kick()
    return {}
  }

  /** Secrets that are written out are for daemons and the superuser; who else asks has his own. */
  readonly mounts: Fs['mounts'] = (_, call) => {
    const { namespace } = this.#modules
    const all = namespace.mounts.all()
    const mounts = namespace.isSuperuser(this.#caller(call)) ? [...all] : all.map(shown)
    return { mounts, version: namespace.mounts.version }
  }

  readonly pathConf: Fs['pathConf'] = () => {
    const { namespace } = this.#modules
    const { entries, version } = namespace.mounts.pathConf()
    return {
      entries: entries.map(({ path, properties }) => ({ path, properties: { ...properties } })),
      version,
      contracts: namespace.mounts
        .all()
        .filter(({ options }) => CONSISTENCY_KEY in options)
        .map(({ path }) => path),
    }
  }

  readonly setUfsMode: Admin['setUfsMode'] = async ({ uri, mode }, call) => {
    const { namespace, persistence, log } = this.#modules
    const { text } = parseUfsUri(uri)
    if (mode === 'readWrite' && this.#cleaning > 0)
      throw new AlluxioError('CONFLICT', 'a store is being cleaned: maintenance cannot end before that')
    const paths = await namespace.mounts.setMode(text, mode, this.#caller(call))
    log.info('maintenance of an under-store', { uri: text, mode, paths })
    if (mode === 'readWrite') persistence.kick()
    return { paths: [...paths] }
  }

  readonly cleanUfs: Admin['cleanUfs'] = async ({ uri }, call) => {
    const { namespace, stores, log } = this.#modules
    if (!namespace.isSuperuser(this.#caller(call)))
      throw new AlluxioError('PERMISSION_DENIED', `only superusers may clean ${uri}`)
    const cleaned = { objects: 0, bytes: 0 }
    this.#cleaning++
    try {
      for (const mount of this.#resting(uri)) {
        // Cleaning is maintenance itself.
        const store = await stores.get({ ...mount, mode: undefined })
        if (store.clean === undefined)
          throw new AlluxioError(
            'UNSUPPORTED',
            `${mount.uri} needs no cleaning: what killed writers left there goes when its folder is listed, or by a rule of the store itself`,
          )
        const { objects, bytes } = await store.clean()
        cleaned.objects += objects
        cleaned.bytes += bytes
      }
    } finally {
      this.#cleaning--
    }
    log.info('an under-store was cleaned', { uri, ...cleaned })
    return cleaned
  }

  /** The mounts of a store, which must be in maintenance, with nothing under way in them. */
  #resting(uri: string): readonly Mount[] {
    const { namespace } = this.#modules
    const { scheme, authority } = parseUfsUri(uri)
    const mounts = namespace.mounts.all().filter((mount) => {
      const at = parseUfsUri(mount.uri)
      return at.scheme === scheme && at.authority === authority
    })
    if (mounts.length === 0)
      throw new AlluxioError('NOT_FOUND', `nothing is mounted of ${uri}`, { reason: 'NOT_MOUNTED' })
    const open = mounts.find(({ mode }) => mode === undefined)
    if (open !== undefined) {
      const whole = `${scheme}://${authority}`
      throw new AlluxioError(
        'CONFLICT',
        `${open.uri} (at ${open.path}) may be written to: run "alluxio fsadmin ufs --mode readOnly ${whole}" first`,
        { reason: 'UFS_MODE' },
      )
    }
    const busy = namespace.intents.all().find(({ mountId }) => mounts.some((one) => one.mountId === mountId))
    if (busy !== undefined)
      throw new AlluxioError(
        'CONFLICT',
        `a change of ${uri} is under way (${busy.op}): try again when it is done`,
        {
          reason: 'UFS_BUSY',
        },
      )
    return mounts
  }

  readonly setPathConf: Admin['setPathConf'] = async ({ path, set, remove }, call) => {
    const request = { path: canonicalPath(path), set, remove }
    return { version: await this.#modules.namespace.mounts.setPathConf(request, this.#caller(call)) }
  }

  /** What the store can do. @throws NOT_FOUND, or what keeps the store from answering within the deadline */
  async #check(
    uri: string,
    options: Readonly<Record<string, string>>,
    what: string,
  ): Promise<UfsCapabilities> {
    const { stores, runtime, log } = this.#modules
    const mountId = this.#probe--
    const abort = new AbortController()
    const asked = stores
      .get({ mountId, uri, options: { ...PROBE_RETRIES, ...options } })
      .then(async (store) => {
        await store.list('', { limit: 1, signal: abort.signal })
        return store.capabilities
      })
    const { answerMs } = this.#options
    const late = () =>
      new AlluxioError('UNAVAILABLE', `no answer within ${answerMs / 1000} s`, { reason: 'STORE_DOWN' })
    try {
      return await answeredWithin(runtime, answerMs, asked, late)
    } catch (error) {
      throw refusal(error, uri, what)
    } finally {
      abort.abort()
      stores.forget(mountId).catch((error) => log.debug('store not closed cleanly', { uri, error }))
    }
  }

  #caller(call: Call): Caller {
    return this.#modules.callers.of(call.peer.user)
  }
}

function shown(mount: Mount): Mount {
  const open = shownOptions(mount.options)
  const options = Object.entries(mount.options).filter(([key, text]) => open[key] === text)
  return { ...mount, options: Object.fromEntries(options) }
}

function refusal(error: unknown, uri: string, what: string): unknown {
  if (isAlluxioError(error, 'NOT_FOUND')) {
    return new AlluxioError('NOT_FOUND', `cannot ${what}: it does not exist; create it, or correct the URI`, {
      cause: error,
    })
  }
  const { code, reason, message } = toAlluxioError(error)
  if (code !== 'UNAVAILABLE' && code !== 'TIMEOUT') return error
  return new AlluxioError(
    code,
    `cannot ${what}, the store does not answer (${message}): start it, correct the URI or the options, or do so all the same with --force`,
    { reason: reason ?? 'STORE_DOWN', details: { uri }, cause: error },
  )
}
