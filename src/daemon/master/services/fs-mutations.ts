/**
 * The writing half of MasterFs. A change of the namespace alone is one call of the engine; one that also changes an
 * under-store checks first, then goes through `StoreChanges`.
 */
import {
  AlluxioError,
  accessAclOf,
  blockCount,
  canonicalPath,
  type FileId,
  type FileRecord,
  isAlluxioError,
  type Log,
  STAGING_PATH,
  type TtlAction,
  type WorkerId,
} from '../../../core/index.ts'
import type {
  BlockMap,
  Caller,
  CompleteRequest,
  CreateOutcome,
  CreateRequest,
  DeleteRequest,
  Inode,
  Namespace,
  Publication,
} from '../../../namespace/index.ts'
import type { Call, Handlers, MasterFs } from '../../../rpc/index.ts'
import { modeRefusal, temporaryNameOf, type UnderStore } from '../../../ufs/index.ts'
import type { UnderStores } from '../../under-stores.ts'
import type { BlockFreer } from './block-freer.ts'
import type { Callers } from './callers.ts'
import type { FsReads } from './fs-reads.ts'
import type { MetadataLoader } from './metadata-loader.ts'
import type { PathLocks } from './path-locks.ts'
import type { Persistence } from './persistence.ts'
import { commandOf, type StoreChanges } from './store-changes.ts'
import type { Uploads } from './uploads.ts'
import type { WorkerRegistry } from './worker-registry.ts'

type Fs = Handlers<typeof MasterFs>

export interface FsMutationsModules {
  readonly namespace: Namespace
  readonly blocks: BlockMap
  readonly loader: MetadataLoader
  readonly workers: WorkerRegistry
  readonly callers: Callers
  readonly stores: UnderStores
  readonly locks: PathLocks
  readonly persistence: Persistence
  readonly uploads: Uploads
  readonly changes: StoreChanges
  readonly freer: BlockFreer
  readonly reads: FsReads
  /** Who the daemon acts as. */
  readonly superuser: Caller
  readonly log: Log
}

type Mutations = 'create' | 'complete' | 'mkdir' | 'rename' | 'delete' | 'free' | 'setAttribute' | 'persist'

const WALK_PAGE = 1000
/** How long a file may take to be written aside. */
const STAGED_TTL_MS = 7 * 86_400_000

export class FsMutations implements Pick<Fs, Mutations> {
  readonly #modules: FsMutationsModules

  constructor(modules: FsMutationsModules) {
    this.#modules = modules
  }

  readonly create: Fs['create'] = (request, call) => {
    const path = canonicalPath(request.path)
    const { ttlAction, ...rest } = request
    const asked = {
      ...rest,
      path,
      ...ttlActionOf(ttlAction),
      persistAsync: request.complete === true && request.writeType === 'ASYNC_THROUGH',
    }
    const caller = this.#caller(call)
    if (isThrough(request.writeType)) this.#checkMode(path)
    if (request.staged === true) return this.#stage(asked, caller)
    return this.#ready([path], async () => {
      const existing = request.overwrite ? this.#modules.namespace.inode(path) : undefined
      const strangers = isThrough(request.writeType) ? this.#modules.persistence.strangers(path) : undefined
      const leaving = this.#leaving(existing) ?? strangers
      if (leaving !== undefined) {
        await leaving
        return this.create(request, call)
      }
      const { inode, entry, replaced } =
        existing?.record.persistence === 'PERSISTED'
          ? await this.#overwrite(asked, caller)
          : await this.#modules.namespace.create(asked, caller)
      if (asked.persistAsync) this.#modules.persistence.kick()
      if (isThrough(request.writeType) && request.complete !== true) this.#modules.uploads.expect(path)
      if (replaced !== undefined) this.#modules.freer.kick()
      return this.#created(inode, entry)
    })
  }

  /** A file that is going to take the place of a path, or be the first there. It goes by itself if that never happens. */
  #stage(
    asked: CreateRequest & { readonly commandId: Uint8Array },
    caller: Caller,
  ): ReturnType<Fs['create']> {
    const { namespace } = this.#modules
    const { path, commandId, blockSizeBytes } = asked
    const staged = `${STAGING_PATH}/${Buffer.from(commandId).toString('hex')}`
    return this.#ready([path], async () => {
      if (!namespace.isRepeat(commandId))
        namespace.checks.create({ ...asked, overwrite: true, recursive: true }, caller)
      await this.#makeStaging(staged)
      const aside = { path: staged, commandId, blockSizeBytes, recursive: false, overwrite: false }
      const { inode, entry } = await namespace.create(
        { ...aside, writeType: 'MUST_CACHE', ttlMs: STAGED_TTL_MS },
        caller,
      )
      return { ...this.#created({ ...inode, path }, entry), staged }
    })
  }

  /** Everybody writes there, nobody touches what is another's. */
  async #makeStaging(path: string): Promise<void> {
    const { namespace, superuser } = this.#modules
    if (!path.startsWith(`${STAGING_PATH}/`) || namespace.inode(STAGING_PATH) !== undefined) return
    const request = { path: STAGING_PATH, recursive: false, allowExists: true, mode: 0o1777 }
    await namespace.mkdir(request, superuser)
  }

  /** @throws PERMISSION_DENIED, reason UFS_MODE: bytes that have to be in the store at once cannot wait for the end of maintenance */
  #checkMode(path: string): void {
    const { uri, mode } = this.#modules.namespace.resolve(path).mount
    if (mode !== undefined) throw modeRefusal(uri, mode, `${path} cannot be written through`)
  }

  /** The object of a file that is overwritten goes before the new one's can come. */
  async #overwrite(asked: CreateRequest, caller: Caller): Promise<CreateOutcome> {
    const { namespace, changes } = this.#modules
    const { path } = asked
    let outcome: CreateOutcome | undefined
    await changes.run([path], async () => {
      outcome = await namespace.create(asked, caller)
      return outcome.drop
    })
    return outcome!
  }

  /** Resolves when what an unfinished persist may have left there has gone: look again. Undefined if there is nothing of the kind. */
  #leaving(inode: Inode | undefined): Promise<unknown> | undefined {
    return inode === undefined ? undefined : this.#modules.persistence.leave(inode)
  }

  readonly complete: Fs['complete'] = (request, call) => {
    const { namespace, blocks, workers, persistence } = this.#modules
    for (const { id, workerId, tier } of request.blocks) {
      const worker = workers.get(workerId)
      if (worker?.state !== 'LIVE') continue
      const level = worker.tiers.findIndex(({ alias }) => alias === tier)
      blocks.add(workerId as WorkerId, id as never, Math.max(0, level))
    }
    const { path: given, fileId, commandId, length, fingerprint, persistAsync, publish } = request
    const path = canonicalPath(given)
    const asked = {
      path,
      fileId: fileId as never,
      commandId,
      length,
      persistAsync,
      ...(fingerprint === undefined ? {} : { fingerprint }),
    }
    const caller = this.#caller(call)
    if (publish !== undefined) {
      const { ttlAction, ...rest } = publish
      const place = { ...rest, path: canonicalPath(publish.path), ...ttlActionOf(ttlAction) }
      return this.#publish({ ...asked, publish: place }, caller)
    }
    if (fingerprint !== undefined) return this.#completeThrough({ ...asked, fingerprint }, caller)
    return namespace.complete(asked, caller).then(({ entry }) => {
      if (persistAsync) persistence.kick()
      return { entry }
    })
  }

  /** The object of a file that is replaced goes before the new one's can come. */
  #publish(
    given: CompleteRequest & { readonly publish: Publication },
    caller: Caller,
  ): Promise<{ entry: Buffer }> {
    const { namespace, changes, persistence, freer } = this.#modules
    const { keeps, expects } = given.publish
    // A file that was renamed while its bytes were written anew is followed; an empty one cannot be found.
    const renamed =
      keeps === true && expects !== undefined ? namespace.inodeById(expects as FileId) : undefined
    const { path } = renamed ?? given.publish
    const asked = { ...given, publish: { ...given.publish, path } }
    return this.#ready([path], async () => {
      const existing = namespace.inode(path)
      const leaving = this.#leaving(existing)
      if (leaving !== undefined) {
        await leaving
        return this.#publish(asked, caller)
      }
      let outcome: CreateOutcome | undefined
      const publish = async () => {
        outcome = await namespace.complete(asked, caller)
        return outcome.drop
      }
      if (existing?.record.persistence === 'PERSISTED') await changes.run([path], publish)
      else await publish()
      if (asked.persistAsync) persistence.kick()
      if (outcome!.replaced !== undefined) freer.kick()
      return { entry: outcome!.entry }
    })
  }

  /** The bytes went to the path that the file had when it was made: they follow it, or go when it is gone. */
  async #completeThrough(
    asked: CompleteRequest & { readonly fingerprint: string },
    caller: Caller,
  ): Promise<{ entry: Buffer }> {
    const { namespace, changes, uploads } = this.#modules
    const { path, fileId, fingerprint } = asked
    const now = namespace.inodeById(fileId)?.path
    try {
      if (now === undefined || now === path || namespace.isRepeat(asked.commandId)) {
        const { entry } = await namespace.complete(asked, caller)
        return { entry }
      }
      const moved = await changes.follow(fileId, path, fingerprint, { request: asked, caller })
      const { entry } = moved ?? (await namespace.complete(asked, caller))
      return { entry }
    } catch (error) {
      if (isAlluxioError(error, 'NOT_FOUND')) await changes.discard(path, fingerprint, fileId)
      throw error
    } finally {
      uploads.arrived(path)
    }
  }

  readonly mkdir: Fs['mkdir'] = (request, call) => {
    const path = canonicalPath(request.path)
    const { namespace, changes } = this.#modules
    const { ttlAction, writeType, xattr, ...rest } = request
    const marked = xattr === undefined ? {} : { xattr: buffersOf(xattr) }
    const asked = { ...rest, path, ...ttlActionOf(ttlAction), ...marked }
    const caller = this.#caller(call)
    return this.#ready([path], async () => {
      await this.#makeStaging(path)
      if (!isThrough(writeType)) {
        const { entry } = await namespace.mkdir(asked, caller)
        return { entry }
      }
      let plain: CreateOutcome | undefined
      const made = await changes.run([path], async () => {
        const { commandId, ...fields } = asked
        if (namespace.isRepeat(commandId) || namespace.checks.mkdir(asked, caller).existing !== undefined) {
          plain = await namespace.mkdir(asked, caller)
          return undefined
        }
        return namespace.intents.begin({ op: 'mkdir', request: fields, caller, ...commandOf(commandId) })
      })
      return { entry: (plain ?? made)!.entry }
    })
  }

  readonly rename: Fs['rename'] = (request, call) => {
    const src = canonicalPath(request.src)
    const dst = canonicalPath(request.dst)
    const { overwrite = false, commandId } = request
    const asked = { src, dst, commandId }
    const caller = this.#caller(call)
    return this.#onKnown(src, [src, dst], async () => {
      const inode = this.#modules.namespace.inode(src)
      const there = overwrite ? this.#modules.namespace.inode(dst) : undefined
      const moves = inode?.record.persistence === 'PERSISTED'
      const strangers = moves ? this.#modules.persistence.strangers(dst) : undefined
      const leaving = this.#leaving(inode) ?? this.#leaving(there) ?? strangers
      if (leaving !== undefined) {
        await leaving
        return this.rename(request, call)
      }
      // What has gone from there may be on its way to the store still: looked at anew.
      if (there !== undefined && !this.#modules.namespace.isRepeat(commandId))
        return (await this.#renameOver(asked, inode, there, caller)) ? {} : this.rename(request, call)
      if (inode?.record.persistence === 'PERSISTED')
        await this.#renamePersisted(asked, caller).catch((error: unknown) => this.#inTheWay(dst, error))
      else await this.#modules.namespace.rename(asked, caller)
      return {}
    })
  }

  /** False when the rename is still to be done: what was there, and in no store, has gone first, or it is another one by now. */
  async #renameOver(
    asked: { src: string; dst: string; commandId: Uint8Array },
    source: Inode | undefined,
    there: Inode,
    caller: Caller,
  ): Promise<boolean> {
    const { namespace, changes, freer } = this.#modules
    const { dst } = asked
    const over = { ...asked, overwrite: true }
    const isStored = there.record.persistence === 'PERSISTED'
    if (source?.record.persistence === 'PERSISTED' && isStored && !there.record.directory) {
      const done = await this.#renamePersisted(over, caller)
      freer.kick()
      return done
    }
    if (source?.record.persistence === 'PERSISTED' || (isStored && there.record.directory)) {
      namespace.checks.rename(over, caller)
      if (isStored) await this.remove({ path: dst, recursive: false }, caller)
      else await namespace.delete({ path: dst, recursive: false }, caller)
      return false
    }
    if (isStored) await changes.run([dst], () => namespace.rename(over, caller))
    else await namespace.rename(over, caller)
    freer.kick()
    return true
  }

  /** False when a file is in the way whose persist may be under way: it is not known when its object comes. */
  async #renamePersisted(
    asked: { src: string; dst: string; commandId: Uint8Array; overwrite?: boolean },
    caller: Caller,
  ): Promise<boolean> {
    const { namespace, changes } = this.#modules
    const { src, dst, commandId, overwrite } = asked
    let done = true
    await changes.run([src, dst], async () => {
      // A repeat is answered by the engine; whatever stands at the source now is another file.
      const record = namespace.isRepeat(commandId) ? undefined : namespace.checks.rename(asked, caller).record
      if (record?.persistence !== 'PERSISTED') return namespace.rename(asked, caller)
      const { directory, length, tail } = record
      const there = overwrite === true ? namespace.inode(dst)?.record : undefined
      done = there === undefined || (there.persistence === 'PERSISTED' && !directory)
      if (!done) return undefined
      const over = { aside: temporaryNameOf(commandId), fingerprint: there?.tail.fp ?? '' }
      const of = { directory, length: directory ? 0 : length, fingerprint: tail.fp ?? '' }
      const change = { op: 'rename', src, dst, ...of, ...commandOf(commandId) } as const
      return namespace.intents.begin(there === undefined ? change : { ...change, over })
    })
    return done
  }

  /** Others may have put something where a file was to go: from now on the namespace knows it. */
  async #inTheWay(path: string, error: unknown): Promise<never> {
    const { namespace, loader } = this.#modules
    if (isAlluxioError(error, 'ALREADY_EXISTS') && namespace.inode(path) === undefined)
      await loader.refresh(path, 0)
    throw error
  }

  readonly delete: Fs['delete'] = (request, call) => {
    const path = canonicalPath(request.path)
    const { commandId, recursive, expects } = request
    const asked = { path, commandId, recursive, ...(expects === undefined ? {} : { expects }) }
    const caller = this.#caller(call)
    return this.#onKnown(path, [path], async () => {
      const inode = this.#modules.namespace.inode(path)
      const leaving = this.#leaving(inode)
      if (leaving !== undefined) {
        await leaving
        return this.delete(request, call)
      }
      if (inode?.record.persistence === 'PERSISTED' && !request.alluxioOnly)
        await this.remove(asked, caller, request.unchecked)
      else await this.#modules.namespace.delete(asked, caller)
      return this.#freed()
    })
  }

  /** Deletes a persisted path from its under-store and the namespace; with `only`, if it is still this inode when its turn comes. */
  async remove(asked: DeleteRequest & { only?: FileId }, caller: Caller, unchecked = false): Promise<void> {
    const { namespace, changes, loader } = this.#modules
    const { path, recursive, commandId } = asked
    if (!unchecked && !recursive) await loader.children(path, false)
    let begun = false
    const begin = async () => {
      const repeat = namespace.isRepeat(commandId)
      if (!repeat && asked.only !== undefined && namespace.inode(path)?.record.id !== asked.only)
        return undefined
      const record = repeat ? undefined : namespace.checks.delete(asked, caller).record
      if (record?.persistence !== 'PERSISTED') {
        await namespace.delete(asked, caller)
        return undefined
      }
      const { directory } = record
      begun = true
      return namespace.intents.begin({ op: 'delete', path, directory, recursive, ...commandOf(commandId) })
    }
    try {
      await changes.run([path], begin)
    } catch (error) {
      // The store may have refused half-way.
      if (begun && recursive && !isAlluxioError(error, 'UNAVAILABLE'))
        await Promise.resolve(loader.children(path, true)).catch(() => {})
      throw error
    }
  }

  readonly free: Fs['free'] = async ({ path: given, recursive, forced }, call) => {
    const path = canonicalPath(given)
    const { namespace } = this.#modules
    await this.#lookUp(path)
    const inode = namespace.checks.write(path, this.#caller(call))
    if (!inode.record.directory) return this.#freeFiles([inode], forced, true)
    if (!recursive)
      throw new AlluxioError('INVALID_ARGUMENT', `${path} is a directory: free it with recursive`)
    const total = { files: 0, bytes: 0 }
    let cursor: string | undefined
    do {
      const page = namespace.walk(path, { limit: WALK_PAGE, cursor })
      const { files, bytes } = this.#freeFiles(page.inodes, forced, false)
      total.files += files
      total.bytes += bytes
      cursor = page.cursor
    } while (cursor !== undefined)
    return total
  }

  readonly setAttribute: Fs['setAttribute'] = async (request, call) => {
    const path = canonicalPath(request.path)
    const { namespace } = this.#modules
    const blocked = this.#modules.locks.blocking(path)
    if (blocked !== undefined) await blocked
    await this.#lookUp(path)
    const { ttlAction, ...rest } = request
    const outcome = await namespace.setAttribute(
      { ...rest, path, ...ttlActionOf(ttlAction) },
      this.#caller(call),
    )
    await this.#passAttributes(path, request)
    return outcome
  }

  readonly persist: Fs['persist'] = async ({ path: given, commandId }, call) => {
    const path = canonicalPath(given)
    const outcome = await this.#modules.namespace.persist({ path, commandId }, this.#caller(call))
    if (outcome.queued) this.#modules.persistence.kick()
    return outcome
  }

  #freeFiles(inodes: readonly Inode[], forced: boolean, refuse: boolean): { files: number; bytes: number } {
    const { blocks, freer } = this.#modules
    const total = { files: 0, bytes: 0 }
    for (const { path, record } of inodes) {
      if (record.directory || record.length === 0) continue
      const pinned = (record.flags & 2) !== 0
      if (record.persistence !== 'PERSISTED' || (pinned && !forced)) {
        if (!refuse) continue
        const why = pinned
          ? 'it is pinned: unpin it, or free it with -f'
          : 'it is not persisted, its blocks are the only copy: persist it first'
        throw new AlluxioError('CONFLICT', `cannot free ${path}: ${why}`, {
          reason: pinned ? 'PINNED' : 'NOT_PERSISTED',
        })
      }
      const bytes = blocks.drop(record.id, blockCount(record.length, record.blockSizeBytes))
      if (bytes > 0) total.files++
      total.bytes += bytes
    }
    freer.kick()
    return total
  }

  /** Mode, owner and group reach a store that keeps them; one that does not is no error. */
  async #passAttributes(
    path: string,
    {
      mode,
      owner,
      group,
      acl,
      recursive,
    }: {
      acl?: object | undefined
      mode?: number | undefined
      owner?: string | undefined
      group?: string | undefined
      recursive: boolean
    },
  ): Promise<void> {
    const { namespace, log } = this.#modules
    const changes = {
      ...(mode === undefined ? {} : { mode }),
      ...(owner === undefined ? {} : { owner }),
      ...(group === undefined ? {} : { group }),
    }
    if (Object.keys(changes).length === 0 && acl === undefined) return
    let cursor: string | undefined
    do {
      const page = recursive
        ? namespace.walk(path, { limit: WALK_PAGE, cursor })
        : { inodes: [namespace.inode(path)] }
      for (const inode of page.inodes) {
        if (inode?.record.persistence !== 'PERSISTED') continue
        const { store, path: below } = await this.#storeOf(inode.path)
        if (!store.capabilities.posix || below === '') return
        await store
          .setAttributes(below, acl === undefined ? changes : { ...changes, mode: plainMode(inode.record) })
          .catch((error) => log.warn('attributes not passed to the under-store', { path: inode.path, error }))
      }
      cursor = 'cursor' in page ? page.cursor : undefined
    } while (cursor !== undefined)
  }

  #created(
    inode: Inode,
    entry: Buffer,
  ): { entry: Buffer; source?: { mountId: number; path: string; length: number } } {
    const { mount, path } = this.#modules.namespace.resolve(inode.path)
    return mount.readOnly ? { entry } : { entry, source: { mountId: mount.mountId, path, length: 0 } }
  }

  /**
   * Runs a mutation when the namespace knows what the under-store holds at its paths and no two-step operation is under way
   * there: at once in the common case.
   */
  #ready<R>(paths: readonly string[], run: () => Promise<R>): Promise<R> {
    const { locks } = this.#modules
    for (const path of paths) {
      if (locks.blocking(path) !== undefined || this.#known(path) !== true) return this.#whenReady(paths, run)
    }
    return run()
  }

  /** The same for an existing path, which perhaps only the under-store knows. `run` decides before it first waits. */
  #onKnown<R>(existing: string, paths: readonly string[], run: () => Promise<R>): Promise<R> {
    if (this.#modules.namespace.inode(existing) !== undefined) return this.#ready(paths, run)
    return this.#lookUp(existing).then(() => this.#ready(paths, run))
  }

  /** Brings a path that only the under-store knows into the namespace. */
  async #lookUp(path: string): Promise<void> {
    if (this.#modules.namespace.inode(path) === undefined) await this.#modules.loader.find(path)
  }

  async #whenReady<R>(paths: readonly string[], run: () => Promise<R>): Promise<R> {
    const { locks } = this.#modules
    for (const path of paths) await this.#known(path)
    for (;;) {
      const blocked = paths.map((path) => locks.blocking(path)).find((wait) => wait !== undefined)
      if (blocked === undefined) return run()
      await blocked
    }
  }

  /** Whether the namespace itself can say if `path` exists; else the search in the under-store that will tell. */
  #known(path: string): true | Promise<boolean> {
    const { namespace, loader } = this.#modules
    if (namespace.knows(path)) return true
    const search = loader.find(path, true)
    return search === false ? true : search
  }

  #freed(): Record<string, never> {
    this.#modules.freer.kick()
    return {}
  }

  async #storeOf(path: string): Promise<{ store: UnderStore; path: string }> {
    const { mount, path: below } = this.#modules.namespace.resolve(path)
    return { store: await this.#modules.stores.get(mount), path: below }
  }

  #caller(call: Call): Caller {
    return this.#modules.callers.of(call.peer.user)
  }
}

/** What a store that knows no lists is told of one: nobody gets more there than here. */
function plainMode(record: FileRecord): number {
  const { group, mask = 7 } = accessAclOf(record)
  return (record.mode & ~0o070) | ((group & mask) << 3)
}

function isThrough(writeType: string): boolean {
  return writeType === 'CACHE_THROUGH' || writeType === 'THROUGH'
}

/** An intent can note buffers down. */
function buffersOf(values: Readonly<Record<string, Uint8Array>>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Buffer.from(value)]))
}

function ttlActionOf(action: string | undefined): { ttlAction?: TtlAction } {
  if (action === undefined) return {}
  const upper = action.toUpperCase()
  if (upper === 'DELETE' || upper === 'FREE' || upper === 'DELETE_ALLUXIO') return { ttlAction: upper }
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `TTL action "${action}" is not one of DELETE, FREE, DELETE_ALLUXIO`,
  )
}
