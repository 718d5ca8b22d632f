/** Which under-store stands at which path, with upstream's rules (reference: alluxio.md 2.1). */
import { AlluxioError, isWithin, type MountId, parentPath } from '../core/index.ts'
import type { Mount, Resolution } from './types.ts'

export class MountTable {
  readonly #byPath = new Map<string, Mount>()
  readonly #byId = new Map<MountId, Mount>()
  /** Grows with every change. */
  version = 0

  add(mount: Mount): void {
    this.#byPath.set(mount.path, mount)
    this.#byId.set(mount.mountId, mount)
    this.version++
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
    if (mount.readOnly) {
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
