/**
 * How each intent is carried out: what it asks of the under-store, then the change of the namespace, which takes the intent away
 * in the same batch. Every step may be done again from the start, also by a later life of the master.
 */
import {
  AlluxioError,
  type FileId,
  isAlluxioError,
  isWithin,
  parentPath,
  type Runtime,
  sleep,
} from '../../../core/index.ts'
import {
  type Caller,
  type CreateOutcome,
  type Intent,
  type Namespace,
  placesOf,
} from '../../../namespace/index.ts'
import type { UfsStatus, UnderStore } from '../../../ufs/index.ts'
import { ifPresent, type UnderStores } from '../../under-stores.ts'
import { move, replaceFile } from './file-replace.ts'
import { TreeMove } from './tree-move.ts'

export interface StoreStepsModules {
  readonly namespace: Namespace
  readonly stores: Pick<UnderStores, 'get'>
  readonly runtime: Runtime
  /** Who books what was allowed before: permissions cannot change while the paths are held. */
  readonly superuser: Caller
}

type Of<Op extends Intent['op']> = Extract<Intent, { op: Op }>

/** Commands are remembered, and so repeated, for so long: what was not begun by then is not begun any more. */
const GIVEN_UP_MS = 10 * 60_000
const MOVES_AT_ONCE = 16
/** How long a server may take over a request whose sender has died. */
const LAST_REQUEST_MS = 10_000

export class StoreSteps {
  readonly #modules: StoreStepsModules

  constructor(modules: StoreStepsModules) {
    this.#modules = modules
  }

  /**
   * Resolves when no request of an earlier life of the master can reach the store any more. What a process asks of its own
   * machine ends with it; a server finishes what it has read.
   */
  async outlive(intent: Intent, startedMs: number, signal: AbortSignal): Promise<void> {
    const { namespace, stores, runtime } = this.#modules
    const mount = namespace.mounts.byId(intent.mountId)
    if (mount === undefined || (await stores.get(mount)).scheme === 'file') return
    await sleep(runtime, Math.max(0, startedMs + LAST_REQUEST_MS - runtime.monotonic()), signal)
  }

  /**
   * @param fresh nothing was done for it before: without looking, the store is as the namespace says
   * @throws what the store answers; CONFLICT, CANCELLED when it is not to be done any more
   */
  async carryOut(given: Intent, fresh: boolean): Promise<CreateOutcome | undefined> {
    const { namespace, stores } = this.#modules
    // An attempt before may have noted how far it came.
    const intent = namespace.intents.get(given.id) ?? given
    const mount = namespace.mounts.byId(intent.mountId)
    if (mount === undefined) throw new AlluxioError('CONFLICT', 'the mount has gone')
    const store = await stores.get(mount)
    switch (intent.op) {
      case 'mkdir':
        return this.#mkdir(store, intent, fresh)
      case 'rename':
        return this.#rename(store, intent, fresh)
      case 'delete':
        return this.#delete(store, intent, fresh)
      case 'drop':
        return this.#drop(store, intent)
      case 'upload':
        return this.#upload(store, intent)
      case 'discard':
        for (const place of placesOf(intent)) await this.#discard(store, place, intent.fingerprint)
        return this.#settle(intent)
      case 'follow':
        return this.#follow(store, intent, fresh)
    }
  }

  async #mkdir(store: UnderStore, intent: Of<'mkdir'>, fresh: boolean): Promise<CreateOutcome> {
    const { namespace } = this.#modules
    const { request, caller, id } = intent
    const below = this.#below(request.path)
    if (!fresh && this.#isGivenUp(intent) && (await ifPresent(store.status(below))) === undefined)
      throw givenUp(intent)
    await store.mkdir(below, request.mode === undefined ? {} : { mode: request.mode })
    return booked(namespace.mkdir({ ...request, ...commandOf(intent), persisted: true, settles: id }, caller))
  }

  async #rename(store: UnderStore, intent: Of<'rename'>, fresh: boolean): Promise<undefined> {
    const { namespace, superuser } = this.#modules
    const { src, dst, id, over } = intent
    const [from, to] = [this.#below(src), this.#below(dst)]
    const byObject = intent.directory && store.moveObjects !== undefined
    if (byObject) await new TreeMove(intent, { ...this.#modules, store }).run(fresh, this.#isGivenUp(intent))
    else if (over !== undefined) {
      const ended = this.#isGivenUp(intent) ? givenUp(intent) : undefined
      await replaceFile(store, { intent: { ...intent, over }, from, to, fresh, givenUp: ended })
    } else if (fresh) await move(store, from, to)
    else await this.#moveAgain(store, intent, from, to)
    if (intent.directory && !byObject) await this.#movedAlong(intent)
    const overwrite = over !== undefined
    const request = { src, dst, overwrite, ...commandOf(intent), persisted: true, settles: id }
    await booked(namespace.rename(request, superuser))
    return undefined
  }

  /** Objects of uploads below a directory that moved in one step went with it: whoever looks for one looks there, too. */
  async #movedAlong({ src, dst }: Of<'rename'>): Promise<void> {
    const { intents } = this.#modules.namespace
    for (const upload of intents.uploadsBelow(src)) {
      const places = placesOf(upload)
      const there = places
        .filter((place) => isWithin(place, src))
        .map((place) => dst + place.slice(src.length))
      const also = [...new Set([...places.slice(1), ...there])].filter((place) => place !== upload.path)
      await booked(intents.note(upload.id, { also }))
    }
  }

  /** Moves in the store what an attempt before may have moved, wholly or, where a move is many copies, in part. */
  async #moveAgain(store: UnderStore, intent: Of<'rename'>, from: string, to: string): Promise<void> {
    const [source, target] = await Promise.all([ifPresent(store.status(from)), ifPresent(store.status(to))])
    if (source === undefined) {
      if (target !== undefined && isSame(target, intent)) return
      throw new AlluxioError('NOT_FOUND', `${intent.src} is no longer in its under-store`)
    }
    if (target === undefined) {
      if (this.#isGivenUp(intent)) throw givenUp(intent)
      return move(store, from, to)
    }
    const { atomicRename, directoryRename } = store.capabilities
    const inOneStep = intent.directory ? directoryRename : atomicRename
    if (inOneStep || !isSame(target, intent))
      throw new AlluxioError('ALREADY_EXISTS', `${intent.dst} exists in its under-store`)
    if (intent.directory) return moveRest(store, from, to)
    await ifPresent(store.delete(from))
  }

  async #delete(store: UnderStore, intent: Of<'delete'>, fresh: boolean): Promise<undefined> {
    const { namespace, superuser } = this.#modules
    const { path, directory, recursive, id } = intent
    const below = this.#below(path)
    // A directory may be half gone.
    if (!fresh && !directory && this.#isGivenUp(intent) && (await ifPresent(store.status(below))))
      throw givenUp(intent)
    await ifPresent(store.delete(below, { recursive: directory }))
    await booked(namespace.delete({ path, recursive, ...commandOf(intent), settles: id }, superuser))
    return undefined
  }

  async #drop(store: UnderStore, intent: Of<'drop'>): Promise<undefined> {
    const { namespace } = this.#modules
    const { path, length } = intent
    // Whoever has been persisted there since has written over it.
    if (namespace.inode(path)?.record.persistence !== 'PERSISTED') {
      if (length === undefined) await ifPresent(store.delete(this.#below(path)))
      else await this.#dropObject(store, path, length)
    }
    return this.#settle(intent)
  }

  /** Removes the object at a path, if it has this length and no file is persisted there, and directories that it alone kept. */
  async #dropObject(store: UnderStore, path: string, length: number): Promise<void> {
    if (this.#modules.namespace.inode(path)?.record.persistence === 'PERSISTED') return
    const below = this.#below(path)
    const found = await ifPresent(store.status(below))
    if (found?.directory === false && found.length === length) await ifPresent(store.delete(below))
    await this.#prune(store, path)
  }

  /** Nobody will tell of it: a file that is still there is written again. */
  async #upload(store: UnderStore, intent: Of<'upload'>): Promise<undefined> {
    const { namespace } = this.#modules
    const { path, fileId, length } = intent
    const now = namespace.inodeById(fileId)?.path
    if (length === undefined || now === path) return this.#settle(intent)
    const [first, ...also] = placesOf(intent).filter((place) => place !== now)
    for (const place of also) await this.#dropObject(store, place, length)
    return first === undefined
      ? this.#settle(intent)
      : this.#drop(store, { ...intent, op: 'drop', path: first, length })
  }

  /** Removes the object of this version, and directories that it alone kept. */
  async #discard(store: UnderStore, path: string, fingerprint: string): Promise<void> {
    const { namespace } = this.#modules
    const below = this.#below(path)
    const found = await ifPresent(store.status(below))
    if (found !== undefined) {
      if (found.directory || found.fingerprint !== fingerprint) return
      const inode = namespace.inode(path)
      // Somebody looked meanwhile and took it for a file.
      if (inode?.record.persistence === 'PERSISTED' && inode.record.tail.fp === fingerprint)
        await namespace.evict(path)
      await ifPresent(store.delete(below))
    }
    await this.#prune(store, path)
  }

  /** Moves what was written to the path that the file had before, to where it is now, and books it with the version it has there. */
  async #follow(store: UnderStore, intent: Of<'follow'>, fresh: boolean): Promise<CreateOutcome | undefined> {
    const { namespace } = this.#modules
    const { written, fileId, fingerprint, completes, id } = intent
    const inode = namespace.inodeById(fileId)
    const places = placesOf({ ...intent, path: written })
    if (inode === undefined) {
      for (const place of places) await this.#discard(store, place, fingerprint)
      return this.#settle(intent)
    }
    const to = this.#below(inode.path)
    const from = places.filter((place) => place !== inode.path).map((place) => this.#below(place))
    if (from.length > 0) {
      const length = completes?.request.length ?? inode.record.length
      await this.#moveWritten(store, { from, to, fingerprint, length, fresh })
      for (const place of places) await this.#prune(store, place)
    }
    // A move may change what the version is made of.
    const moved = (await store.status(to)).fingerprint
    if (completes === undefined) {
      await booked(namespace.persisted(fileId as FileId, moved, id))
      return undefined
    }
    const { request, caller } = completes
    return booked(
      namespace.complete({ ...request, ...commandOf(intent), fingerprint: moved, settles: id }, caller),
    )
  }

  async #moveWritten(
    store: UnderStore,
    about: { from: readonly string[]; to: string; fingerprint: string; length: number; fresh: boolean },
  ): Promise<void> {
    const { from, to, fingerprint, length, fresh } = about
    for (const place of from) {
      if ((await ifPresent(store.status(place)))?.fingerprint !== fingerprint) continue
      // What stands in the way was left by a file that has gone, or is a copy of ours: the name is this one's in the namespace.
      await ifPresent(store.delete(to))
      return move(store, place, to)
    }
    const target = await ifPresent(store.status(to))
    if (target?.fingerprint === fingerprint || (!fresh && target?.length === length)) return
    // Neither where it was written nor moved already by an attempt before: another file's upload came after it.
    throw new AlluxioError(
      'CONFLICT',
      `${from[0]} was replaced in its under-store while ${to} was written there`,
      { reason: 'SOURCE_CHANGED' },
    )
  }

  /** Removes directories above `path` that are empty in the store and not known to be there. @throws what may pass */
  async #prune(store: UnderStore, path: string): Promise<void> {
    const { namespace } = this.#modules
    const { mount } = namespace.resolve(path)
    for (
      let parent = parentPath(path);
      parent !== mount.path && parent !== '/';
      parent = parentPath(parent)
    ) {
      if (namespace.inode(parent)?.record.persistence === 'PERSISTED') return
      try {
        await ifPresent(store.delete(this.#below(parent)))
      } catch (error) {
        if (isAlluxioError(error, 'UNAVAILABLE') || isAlluxioError(error, 'TIMEOUT')) throw error
        return
      }
    }
  }

  async #settle(intent: Intent): Promise<undefined> {
    await booked(this.#modules.namespace.intents.settle(intent.id))
    return undefined
  }

  #isGivenUp(intent: Intent): boolean {
    return this.#modules.runtime.now() - intent.startedMs > GIVEN_UP_MS
  }

  #below(path: string): string {
    return this.#modules.namespace.resolve(path).path
  }
}

function commandOf({ command }: Intent): { commandId?: Uint8Array } {
  return command === undefined ? {} : { commandId: Buffer.from(command, 'hex') }
}

/** The store has done its part: a namespace that refuses for now is asked again. */
async function booked<T>(change: Promise<T>): Promise<T> {
  try {
    return await change
  } catch (error) {
    if (!isAlluxioError(error, 'RESOURCE_EXHAUSTED')) throw error
    throw new AlluxioError('UNAVAILABLE', error.message, { cause: error })
  }
}

function givenUp(intent: Intent): AlluxioError {
  return new AlluxioError('CANCELLED', `${intent.op} was not begun in time`)
}

function isSame(found: UfsStatus, { directory, length }: Of<'rename'>): boolean {
  return found.directory === directory && (directory || found.length === length)
}

/** Goes on with the move of a directory that is one copy an object: what is at its target already needs none. */
async function moveRest(store: UnderStore, from: string, to: string): Promise<void> {
  for (let files = 1; files > 0; ) {
    files = 0
    let cursor: string | undefined
    do {
      const page = await store.list(from, { recursive: true, ...(cursor === undefined ? {} : { cursor }) })
      cursor = page.cursor
      files += page.entries.filter(({ directory }) => !directory).length
      const entries = page.entries.values()
      const lane = async () => {
        for (const entry of entries) await moveEntry(store, entry, to + entry.path.slice(from.length))
      }
      // All have stopped before the next attempt begins.
      const lanes = await Promise.allSettled(Array.from({ length: MOVES_AT_ONCE }, lane))
      for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
    } while (cursor !== undefined)
  }
  await ifPresent(store.delete(from, { recursive: true }))
}

async function moveEntry(
  store: UnderStore,
  { path, directory, length }: UfsStatus,
  to: string,
): Promise<void> {
  if (directory) return store.mkdir(to)
  const target = await ifPresent(store.status(to))
  // Half of a copy is never seen: what has the length is whole.
  if (target !== undefined && !target.directory && target.length === length)
    return ifPresent(store.delete(path))
  await ifPresent(store.rename(path, to))
}
