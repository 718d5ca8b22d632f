/** Which under-store stands at which path, with upstream's rules (reference: alluxio.md 2.1). */
import { AlluxioError, isWithin, type MountId, parentPath, STAGING_PATH } from '../core/index.ts'
import type { Mount, Resolution, UfsMode } from './types.ts'

export class MountTable {
  readonly #byPath = new Map<string, Mount>()
  readonly #byId = new Map<MountId, Mount>()
  /** Canonical URIs of stores in maintenance. */
  readonly #modes = new Map<string, UfsMode>()
  /** Grows with every change. */
  version = 0

  add(given: Mount): void {
    const { mode: _, ...plain } = given
    const mode = this.#modeOf(given.uri)
    const mount: Mount = mode === 'readWrite' ? plain : { ...plain, mode }
    this.#byPath.set(mount.path, mount)
    this.#byId.set(mount.mountId, mount)
    this.version++
  }

  /** Stores in maintenance, by URI. */
  modes(): readonly (readonly [uri: string, mode: UfsMode])[] {
    return [...this.#modes]
  }

  /** The modes as they would be with one more change: `readWrite` takes away what is said of the URI and all below it. */
  modesWith(uri: string, mode: UfsMode): (readonly [uri: string, mode: UfsMode])[] {
    const own = withSlash(uri)
    const rest = [...this.#modes].filter(([other]) => !withSlash(other).startsWith(own))
    return mode === 'readWrite' ? rest : [...rest, [own, mode]]
  }

  setModes(modes: Iterable<readonly [uri: string, mode: UfsMode]>): void {
    this.#modes.clear()
    for (const [uri, mode] of modes) this.#modes.set(uri, mode)
    for (const mount of [...this.#byPath.values()]) this.add(mount)
  }

  /** Mounts of a store: their URI is this one, or lies below it. */
  within(uri: string): Mount[] {
    const own = withSlash(uri)
    return [...this.#byPath.values()].filter((mount) => withSlash(mount.uri).startsWith(own))
  }

  /** The strictest of what is said of a URI and of those above it. */
  #modeOf(uri: string): UfsMode {
    let found: UfsMode = 'readWrite'
    if (this.#modes.size === 0) return found
    const own = withSlash(uri)
    for (const [other, mode] of this.#modes) {
      if (!own.startsWith(withSlash(other))) continue
      if (mode === 'noAccess') return mode
      found = mode
    }
    return found
  }

  remove(mount: Mount): void {
    this.#byPath.delete(mount.path)
    this.#byId.delete(mount.mountId)
    this.version++
  }

  all(): Mount[] {
    return [...this.#byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  byId(id: MountId): Mount | undefined {
    return this.#byId.get(id)
  }

  at(path: string): Mount | undefined {
    return this.#byPath.get(path)
  }

  /** The mount that a path lies in: the longest mount point that is the path or an ancestor. */
  of(path: string): Mount {
    if (this.#byPath.size > 1) {
      for (let at = path; at !== '/'; at = parentPath(at)) {
        const mount = this.#byPath.get(at)
        if (mount !== undefined) return mount
      }
    }
    const root = this.#byPath.get('/')
    if (root === undefined) throw new AlluxioError('INTERNAL', 'nothing is mounted at /')
    return root
  }

  resolve(path: string): Resolution {
    const mount = this.of(path)
    if (path === mount.path) return { mount, path: '' }
    return { mount, path: path.slice(mount.path === '/' ? 1 : mount.path.length + 1) }
  }

  /** Mounts strictly below a path. */
  below(path: string): Mount[] {
    const found: Mount[] = []
    for (const mount of this.#byPath.values())
      if (mount.path !== path && isWithin(mount.path, path)) found.push(mount)
    return found
  }

  /** @throws PERMISSION_DENIED, reason READ_ONLY_MOUNT */
  checkWritable(path: string): Mount {
    const mount = this.of(path)
    if (mount.readOnly && !isWithin(path, STAGING_PATH)) {
      throw new AlluxioError(
        'PERMISSION_DENIED',
        `${path} lies in the mount ${mount.path}, which is read-only: mount ${mount.uri} again without --readonly to change it`,
        { reason: 'READ_ONLY_MOUNT', details: { path, mount: mount.path } },
      )
    }
    return mount
  }

  /** @throws INVALID_ARGUMENT, reason MOUNT_OVERLAP, if the URI lies within a mounted one or the other way round */
  checkUri(uri: string): void {
    const own = withSlash(uri)
    for (const mount of this.#byPath.values()) {
      const other = withSlash(mount.uri)
      if (own.startsWith(other) || other.startsWith(own)) {
        throw new AlluxioError(
          'INVALID_ARGUMENT',
          `${uri} overlaps ${mount.uri}, which is mounted at ${mount.path}: one object would have two names`,
          { reason: 'MOUNT_OVERLAP', details: { uri, mounted: mount.uri } },
        )
      }
    }
  }
}

/** Scheme and authority compare without case; a local path and its file:// form are the same store. */
function withSlash(uri: string): string {
  const local = uri.startsWith('/') ? `file://${uri}` : uri
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/]*)(.*)$/.exec(local)
  const canonical = match === null ? local : `${match[1]}://${match[2]}`.toLowerCase() + match[3]
  return `${canonical.replace(/\/+$/, '')}/`
}
