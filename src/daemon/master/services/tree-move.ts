/**
 * The move of a directory in a store that has only objects: page by page, each a listing, a copy of each object on the server and
 * one delete of all of them. How far it came stands in its intent. One that was cut off goes on with what is left at the source.
 *
 * Objects of uploads that are not booked stay where they were written: whoever books one moves it to where its file is then.
 */
import {
  AlluxioError,
  isAlluxioError,
  joinPath,
  type Log,
  type Runtime,
  silentLog,
} from '../../../core/index.ts'
import { type Intent, type Namespace, placesOf } from '../../../namespace/index.ts'
import type { UnderStore } from '../../../ufs/index.ts'
import { ifPresent } from '../../under-stores.ts'

export interface TreeMoveModules {
  readonly namespace: Namespace
  readonly runtime: Runtime
  readonly store: UnderStore
  readonly log?: Log
}

type Rename = Extract<Intent, { op: 'rename' }>

export class TreeMove {
  readonly #intent: Rename
  readonly #modules: TreeMoveModules
  readonly #from: string
  readonly #to: string
  readonly #mountPath: string
  #moved: number

  constructor(intent: Rename, modules: TreeMoveModules) {
    const { namespace } = modules
    const { mount, path } = namespace.resolve(intent.src)
    this.#intent = intent
    this.#modules = modules
    this.#mountPath = mount.path
    this.#from = path
    this.#to = namespace.resolve(intent.dst).path
    this.#moved = intent.moved ?? 0
  }

  /**
   * Resolves when nothing is left at the source; the caller books it in the same turn.
   * @throws what the store answers, after everything is back where it was; what may pass, with the rest still to be moved
   */
  async run(fresh: boolean, isGivenUp: boolean): Promise<void> {
    const { src, dst, moved, back } = this.#intent
    if (back === true) {
      await this.#takeBack()
      throw new AlluxioError('CANCELLED', `${src} could not be moved to ${dst}: it was taken back`)
    }
    if (moved === undefined) await this.#begin(fresh, isGivenUp)
    try {
      await this.#move()
    } catch (error) {
      if (mayPass(error)) throw error
      await this.#refused(error, fresh)
    }
  }

  /** From here on what stands at the target is this move's. */
  async #begin(fresh: boolean, isGivenUp: boolean): Promise<void> {
    const { store, namespace } = this.#modules
    const { id, src, dst } = this.#intent
    if (!fresh && isGivenUp) throw new AlluxioError('CANCELLED', `the move of ${src} was not begun in time`)
    if ((await ifPresent(store.status(this.#to))) !== undefined)
      throw new AlluxioError('ALREADY_EXISTS', `${dst} exists in its under-store`)
    await namespace.intents.note(id, { moved: 0 })
  }

  async #move(): Promise<void> {
    const { namespace } = this.#modules
    const { id, src, dst } = this.#intent
    for (;;) {
      const uploads = namespace.intents.uploadsBelow(src)
      const stays = new Set(uploads.flatMap(placesOf))
      const moved = await this.#pass(this.#from, this.#to, stays, (objects) => {
        this.#moved += objects
        return namespace.intents.note(id, { moved: this.#moved })
      })
      // Of what was still on its way some may have been booked here meanwhile; and others may have put something here.
      if (moved === 0 && namespace.intents.uploadsBelow(src).length === uploads.length) break
    }
    if (this.#moved === 0 && (await ifPresent(this.#modules.store.status(this.#to))) === undefined)
      await this.#moveNothing(src, dst)
  }

  /** A directory without an object is made anew, unless files that the namespace knows there are missing. */
  async #moveNothing(src: string, dst: string): Promise<void> {
    const { store } = this.#modules
    if (this.#expectsObjects(src))
      throw new AlluxioError('NOT_FOUND', `${src} is no longer in its under-store, it cannot become ${dst}`)
    await store.mkdir(this.#to)
  }

  #expectsObjects(path: string): boolean {
    const { namespace } = this.#modules
    let cursor: string | undefined
    do {
      const page = namespace.walk(path, { limit: 1000, cursor })
      if (page.inodes.some(({ record }) => !record.directory && record.persistence === 'PERSISTED'))
        return true
      cursor = page.cursor
    } while (cursor !== undefined)
    return false
  }

  async #pass(
    from: string,
    to: string,
    stays: ReadonlySet<string>,
    onMoved: (objects: number) => Promise<void>,
  ): Promise<number> {
    const { store } = this.#modules
    const isHeld = (path: string) => stays.has(joinPath(this.#mountPath, path))
    let moved = 0
    let cursor: string | undefined
    do {
      const page = await store.moveObjects!(from, to, {
        ...(cursor === undefined ? {} : { cursor }),
        ...(stays.size === 0 ? {} : { stays: isHeld }),
      })
      if (page.objects > 0) await onMoved(page.objects)
      moved += page.objects
      cursor = page.cursor
    } while (cursor !== undefined)
    return moved
  }

  /** The store refuses for good. @throws its refusal when all is back */
  async #refused(error: unknown, fresh: boolean): Promise<never> {
    const { namespace, store, log = silentLog } = this.#modules
    const { id, src, dst } = this.#intent
    log.warn('the store refuses to move a directory, what was moved is taken back', { src, dst, error })
    if (this.#moved === 0) {
      // Nothing was deleted yet: the source is whole.
      await store.delete(this.#to, { recursive: true }).catch((leftover: unknown) => {
        if (!isAlluxioError(leftover, 'NOT_FOUND'))
          log.warn('copies stay in the store', { dst, error: leftover })
      })
    } else {
      await namespace.intents.note(id, { back: true })
      await this.#takeBack()
    }
    if (fresh) throw error
    throw new AlluxioError('CANCELLED', `${src} cannot be moved to ${dst}`, { cause: error })
  }

  async #takeBack(): Promise<void> {
    const nothing = new Set<string>()
    while ((await this.#pass(this.#to, this.#from, nothing, async () => {})) > 0);
  }
}

/** Whether the same may succeed later. */
function mayPass(error: unknown): boolean {
  if (!isAlluxioError(error)) return false
  const { code, reason } = error
  return (
    code === 'UNAVAILABLE' || code === 'TIMEOUT' || (code === 'RESOURCE_EXHAUSTED' && reason === 'THROTTLED')
  )
}
