/**
 * Keeps a local store inside its root: every path is resolved by the system (symbolic links followed), and what resolves to a
 * place outside is refused. Links that stay inside are followed like any path.
 */
import { lstat, mkdir, readlink, realpath } from 'node:fs/promises'
import { AlluxioError, fromErrno } from '../../core/index.ts'
import { checkStorePath, nameOf, parentOf } from '../uri.ts'

/** The kernel tells where an open file really is, which no later change of a link can belie. */
const KNOWS_OPEN_PATHS = process.platform === 'linux'

export class Containment {
  /** Absolute, without trailing slash. */
  readonly root: string
  #real: string | undefined

  constructor(root: string) {
    this.root = root
  }

  /** The root with links followed. @throws NOT_FOUND while it does not exist */
  async realRoot(): Promise<string> {
    if (this.#real !== undefined) return this.#real
    try {
      this.#real = await realpath(this.root)
      return this.#real
    } catch (error) {
      throw fromErrno(error, 'open the root of the local store', this.root)
    }
  }

  /** Where `path` would be by name alone. */
  named(path: string): string {
    checkStorePath(path)
    return path === '' ? this.root : `${this.root === '/' ? '' : this.root}/${path}`
  }

  /** The place of `path`: its directory resolved and contained, its last name as it is. @throws NOT_FOUND, PERMISSION_DENIED */
  async entry(path: string, operation: string): Promise<string> {
    if (path === '') return this.realRoot()
    const folder = await this.folder(parentOf(path), operation, path)
    return `${folder === '/' ? '' : folder}/${nameOf(path)}`
  }

  /** A directory with all links followed. */
  async folder(path: string, operation: string, about = path): Promise<string> {
    const named = this.named(path)
    const root = await this.realRoot()
    if (path === '') return root
    try {
      return this.#inside(await realpath(named), root, about)
    } catch (error) {
      throw fromErrno(error, operation, about)
    }
  }

  /** Checks an entry that is a symbolic link. @throws PERMISSION_DENIED, reason SYMLINK_ESCAPE, when it leads outside */
  async target(place: string, path: string, operation: string): Promise<string> {
    const root = await this.realRoot()
    try {
      return this.#inside(await realpath(place), root, path)
    } catch (error) {
      throw fromErrno(error, operation, path)
    }
  }

  /** Checks where an open file really is; for systems that cannot tell, `beforeOpen` has done it. */
  async opened(fd: number, path: string): Promise<void> {
    if (!KNOWS_OPEN_PATHS) return
    const root = await this.realRoot()
    this.#inside(await readlink(`/proc/self/fd/${fd}`), root, path)
  }

  /** The name to open: elsewhere than on Linux it is resolved and checked first. */
  async beforeOpen(path: string): Promise<string> {
    const named = this.named(path)
    if (KNOWS_OPEN_PATHS) return named
    return this.target(named, path, 'open')
  }

  /** Makes the directory and its missing parents below the deepest one that exists. Returns whether it was missing. */
  async make(path: string, mode: number | undefined): Promise<boolean> {
    if (path === '') {
      const made = await mkdir(this.root, { recursive: true }).catch((error: unknown) => {
        throw fromErrno(error, 'mkdir', this.root)
      })
      return made !== undefined
    }
    const missing: string[] = []
    for (let at = path; ; at = parentOf(at)) {
      try {
        const folder = await this.folder(at, 'mkdir', path)
        return await this.#makeBelow(folder, missing, path, mode)
      } catch (error) {
        if (!(error instanceof AlluxioError) || error.code !== 'NOT_FOUND' || at === '') throw error
        missing.unshift(nameOf(at))
      }
    }
  }

  async #makeBelow(
    folder: string,
    missing: readonly string[],
    path: string,
    mode: number | undefined,
  ): Promise<boolean> {
    try {
      if (missing.length === 0) {
        if ((await lstat(folder)).isDirectory()) return false
        throw new AlluxioError('ALREADY_EXISTS', `mkdir ${path}: a file stands there`, { operation: 'mkdir' })
      }
      const options = { recursive: true, ...(mode === undefined ? {} : { mode }) }
      const made = await mkdir([folder === '/' ? '' : folder, ...missing].join('/'), options)
      return made !== undefined
    } catch (error) {
      throw fromErrno(error, 'mkdir', path)
    }
  }

  #inside(real: string, root: string, path: string): string {
    if (real === root || root === '/' || real.startsWith(`${root}/`)) return real
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `${path} is a symbolic link, or lies below one, that leads out of the store's folder: copy the data in, or mount its folder by itself`,
      { reason: 'SYMLINK_ESCAPE', details: { path } },
    )
  }
}
