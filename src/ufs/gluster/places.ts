/**
 * Where a path of the store is in its volume. Symbolic links are followed inside the mount's folder; what leads out of it is
 * refused. (Whoever may exchange folders of the volume at the very moment could get past this.)
 */
import { AlluxioError } from '../../core/index.ts'
import { checkStorePath, nameOf, parentOf } from '../uri.ts'
import type { Asking, Volume } from './volume.ts'

export class Places {
  readonly #volume: Volume
  /** Path of the mount's root in the volume, without slashes at its ends; '' for the whole volume. */
  readonly #root: string
  #realRoot: string | undefined

  constructor(root: string, volume: Volume) {
    this.#root = root
    this.#volume = volume
  }

  /** By name alone. */
  named(path: string): string {
    checkStorePath(path)
    return `/${[this.#root, path].filter((part) => part !== '').join('/')}`
  }

  /** A directory. In a whole volume no link can lead out, so nothing is asked. */
  async folder(path: string, asking: Asking): Promise<string> {
    const named = this.named(path)
    if (this.#root === '') return named
    this.#realRoot ??= await this.#volume.realpath(this.named(''), asking)
    if (path === '') return this.#realRoot
    return this.#inside(await this.#volume.realpath(named, asking), asking)
  }

  /** Its directory resolved, its last name as it is. */
  async entry(path: string, asking: Asking): Promise<string> {
    if (path === '') return this.folder('', asking)
    return below(await this.folder(parentOf(path), asking), nameOf(path))
  }

  /** What an entry that is a link leads to. */
  async target(place: string, asking: Asking): Promise<string> {
    return this.#inside(await this.#volume.realpath(place, asking), asking)
  }

  #inside(real: string, { path }: Asking): string {
    const root = this.#realRoot
    if (root === undefined || root === '/' || real === root || real.startsWith(`${root}/`)) return real
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `${path} is a symbolic link, or lies below one, that leads out of the store's folder: copy the data in, or mount its folder by itself`,
      { reason: 'SYMLINK_ESCAPE', details: { path } },
    )
  }
}

export function below(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`
}
