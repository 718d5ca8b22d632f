/**
 * Where a path of the store is in its volume. Symbolic links are followed here, name by name, and only inside the mount's folder:
 * the library itself must never meet one on the way, for it follows a circle of links until its stack, and with it this
 * process, ends (10.3). Directories that were seen are believed for a second, so that a path mostly costs no look.
 */
import { AlluxioError, type Runtime } from '../../core/index.ts'
import { checkStorePath, nameOf, parentOf } from '../uri.ts'
import type { Asking } from './open-files.ts'
import type { Volume } from './volume.ts'

/** As in the kernel. */
const MOST_HOPS = 40
const BELIEVED_MS = 1000
const MOST_BELIEVED = 10_000

export class Places {
  readonly #volume: Volume
  readonly #runtime: Pick<Runtime, 'monotonic'>
  /** Path of the mount's root in the volume, without slashes at its ends; '' for the whole volume. */
  readonly #root: string
  /** Places of directories, and until when they are believed to be there. */
  readonly #directories = new Map<string, number>()

  constructor(
    root: string,
    modules: { readonly volume: Volume; readonly runtime: Pick<Runtime, 'monotonic'> },
  ) {
    this.#root = root
    this.#volume = modules.volume
    this.#runtime = modules.runtime
  }

  /** A directory (which is for the next call to find out), with links followed. @throws ENOENT */
  async folder(path: string, asking: Asking): Promise<string> {
    checkStorePath(path)
    return this.#inside(await this.#resolve(`${this.#root}/${path}`, asking), asking)
  }

  /** Its directory resolved, its last name as it is. */
  async entry(path: string, asking: Asking): Promise<string> {
    if (path === '') return this.folder('', asking)
    checkStorePath(path)
    return below(await this.folder(parentOf(path), asking), nameOf(path))
  }

  /** What an entry that is a link leads to. */
  async target(link: string, asking: Asking): Promise<string> {
    return this.#inside(await this.#resolve(link, asking), asking)
  }

  /** Something was moved or removed by us: nothing is believed any more. */
  forget(): void {
    this.#directories.clear()
  }

  async #resolve(path: string, asking: Asking): Promise<string> {
    let names = path.split('/')
    let place = '/'
    for (let i = 0, hops = 0; i < names.length; i++) {
      const name = names[i]!
      if (name === '' || name === '.') continue
      if (name === '..') {
        place = place.slice(0, place.lastIndexOf('/')) || '/'
        continue
      }
      const next = below(place, name)
      if (this.#believed(next)) {
        place = next
        continue
      }
      const { kind } = await this.#volume.lstat(next, asking)
      if (kind === 'link') {
        if (++hops > MOST_HOPS) {
          throw new AlluxioError('INVALID_ARGUMENT', `${asking.path}: too many symbolic links`, {
            reason: 'ELOOP',
          })
        }
        const text = await this.#volume.readlink(next, asking)
        if (text.startsWith('/')) place = '/'
        names = [...text.split('/'), ...names.slice(i + 1)]
        i = -1
        continue
      }
      if (kind === 'directory') this.#believe(next)
      place = next
    }
    return place
  }

  #believed(place: string): boolean {
    const until = this.#directories.get(place)
    return until !== undefined && this.#runtime.monotonic() < until
  }

  #believe(place: string): void {
    if (this.#directories.size >= MOST_BELIEVED) this.#directories.clear()
    this.#directories.set(place, this.#runtime.monotonic() + BELIEVED_MS)
  }

  async #inside(real: string, asking: Asking): Promise<string> {
    if (this.#root === '') return real
    const root = await this.#resolve(this.#root, asking)
    if (root === '/' || real === root || real.startsWith(`${root}/`)) return real
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `${asking.path} is a symbolic link, or lies below one, that leads out of the store's folder: copy the data in, or mount its folder by itself`,
      { reason: 'SYMLINK_ESCAPE', details: { path: asking.path } },
    )
  }
}

export function below(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`
}
