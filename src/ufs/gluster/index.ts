/**
 * GlusterFS: `glusterfs://host[:port][,host[:port]]/volume/path`. Owns the calls of libgfapi (no FUSE, no mount), the threads they
 * take and what becomes of one that does not come back; or, where an option names a mounted folder, the check of that mount,
 * behind which the files are the local store's. Never retries (the layers do) and never starts or changes a volume.
 * Read on in `threads.ts` (why a volume that is gone cannot take the daemon along) and `volume.ts`.
 */
import { AlluxioError } from '../../core/index.ts'
import * as OPTIONS from '../../core/options/ufs.options.ts'
import { type Mount, mountedStore } from '../local/mounted.ts'
import type { StoreModules, UfsFactory, UfsOptions } from '../registry.ts'
import { setting } from '../settings.ts'
import type { UnderStore } from '../store.ts'
import type { UfsUri } from '../uri.ts'
import { GlusterStore } from './gluster-store.ts'
import { Volumes } from './volumes.ts'

const PORT = 24_007
/** What glusterd takes for the name of a volume. */
const VOLUME = /^[A-Za-z0-9_-]+$/
const HOST = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/

interface Address {
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly volume: string
  /** Path in the volume, without slashes at its ends. */
  readonly root: string
}

export function glusterFactoryWith(volumes: Volumes): UfsFactory {
  return {
    schemes: ['glusterfs'],
    async open(uri, options, modules) {
      const address = addressOf(uri)
      const folder = setting(options, OPTIONS.UFS_GLUSTER_MOUNT)!
      return folder === ''
        ? overLibrary(address, options, modules, volumes)
        : overMount(address, folder, options, modules)
    },
  }
}

/** The threads and connections that all mounts of this process share. */
export const glusterFactory: UfsFactory = glusterFactoryWith(new Volumes())

function overLibrary(
  { hosts, volume, root }: Address,
  options: UfsOptions,
  modules: StoreModules,
  volumes: Volumes,
): UnderStore {
  const { runtime, log, onApiCall } = modules
  const lease = volumes.lease(
    {
      hosts,
      volume,
      library: setting(options, OPTIONS.UFS_GLUSTER_LIBRARY)!,
      deadlineMs: setting(options, OPTIONS.UFS_TIMEOUT)!,
      silenceMs: setting(options, OPTIONS.UFS_STALL_TIMEOUT)!,
    },
    { runtime, log, onApiCall },
  )
  return new GlusterStore(
    {
      root,
      sync: setting(options, OPTIONS.UFS_LOCAL_SYNC)!,
      temporaryAgeMs: setting(options, OPTIONS.UFS_TEMPORARY_AGE)!,
    },
    { ...lease, runtime, log },
  )
}

function overMount(
  { volume, root }: Address,
  folder: string,
  options: UfsOptions,
  modules: StoreModules,
): UnderStore {
  const { runtime, log } = modules
  return mountedStore(
    {
      scheme: 'glusterfs',
      folder,
      option: OPTIONS.UFS_GLUSTER_MOUNT.key,
      sync: setting(options, OPTIONS.UFS_LOCAL_SYNC)!,
      temporaryAgeMs: setting(options, OPTIONS.UFS_TEMPORARY_AGE)!,
      expected: `the GlusterFS volume ${volume}${root === '' ? '' : `, or of a folder of it above /${root}`}`,
      root: (mount, inside) => folderOf(mount, inside, { volume, root }, folder),
    },
    { runtime, log },
  )
}

/** Where `root` of the volume is, when `folder` shows the volume or a folder of it above. */
function folderOf(
  { type, source, root: bound }: Mount,
  inside: string,
  wanted: { readonly volume: string; readonly root: string },
  folder: string,
): string | undefined {
  if (type !== 'fuse.glusterfs') return undefined
  // host:volume, host:/volume or, of a folder of it, host:/volume/folder.
  const [volume, ...folders] = source
    .slice(source.lastIndexOf(':') + 1)
    .split('/')
    .filter(Boolean)
  if (volume !== wanted.volume) return undefined
  const shown = [...folders, ...bound.split('/'), ...inside.split('/')].filter(Boolean)
  const names = wanted.root.split('/').filter(Boolean)
  if (!shown.every((name, i) => name === names[i])) return undefined
  return [folder.replace(/\/+$/, ''), ...names.slice(shown.length)].join('/')
}

function addressOf(uri: UfsUri): Address {
  const [volume, ...rest] = uri.path.split('/')
  const hosts = uri.authority.split(',').map((text) => {
    const match = HOST.exec(text)
    const port = match?.[2] === undefined ? PORT : Number(match[2])
    return match === null || port < 1 || port > 65_535
      ? undefined
      : { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port }
  })
  const known = hosts.filter((host) => host !== undefined)
  if (known.length === 0 || known.length < hosts.length || volume === undefined || !VOLUME.test(volume)) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `"${uri.text}" is no address of a GlusterFS volume: write glusterfs://host/volume/folder, with a port (host:24007) if it is another, and with commas between several hosts`,
      { reason: 'INVALID_UFS_URI' },
    )
  }
  return { hosts: known, volume, root: rest.join('/') }
}
