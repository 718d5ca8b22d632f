/** One folder of an SFTP server as a store. Written against OpenSSH: it needs its extensions posix-rename and hardlink. */
import { randomBytes } from 'node:crypto'
import { FAILURE, NO_SUCH_FILE, refuse, statusOf } from './errors.mjs'
import { DRAFT, Listing } from './listing.mjs'
import { readRange } from './reader.mjs'
import { describe } from './status.mjs'
import { SftpWriter } from './writer.mjs'

/** Deletes on their way at once. */
const DELETES = 16

/** @implements {import('alluxio/ufs').UnderStore} */
export class SftpStore {
  scheme = 'sftp'
  capabilities = {
    atomicRename: true,
    directoryRename: true,
    directories: true,
    etag: false,
    conditionalCreate: true,
    objectMetadata: false,
    // SFTP knows owners by number only.
    posix: false,
    space: true,
    orderedList: true,
    bestRangeBytes: 16 * 2 ** 20,
    bestRangeParallelism: 2,
  }
  #root
  #connections
  #listing

  constructor(root, { connections, runtime }) {
    this.#root = root === '/' ? '' : root
    this.#connections = connections
    this.#listing = new Listing(connections, runtime)
  }

  open(path, options) {
    return readRange(this.#connections, this.#at(path), path, options)
  }

  async create(path, { ifAbsent = false, createParents = true, mode, signal } = {}) {
    if (path === '') throw refuse('IS_A_DIRECTORY', 'the root of a store is a directory')
    if (DRAFT.test(nameOf(path)))
      throw refuse('INVALID_ARGUMENT', `${path}: such names are for files being written`)
    const found = await this.#find(path, signal)
    if (found?.directory) throw refuse('IS_A_DIRECTORY', `${path} is a directory`)
    if (found !== undefined && ifAbsent) throw refuse('ALREADY_EXISTS', `${path} exists`)
    const parent = parentOf(path)
    const draft = `${this.#at(parent)}/.alluxio-sftp-${randomBytes(8).toString('hex')}.tmp`
    const start = async () => {
      const session = await this.#connections.session(signal)
      const handle = await this.#connections.callOn(session, 'open', path, undefined, (sftp, done) =>
        sftp.open(draft, 'wx', mode === undefined ? {} : { mode }, done),
      )
      return new SftpWriter(this, { session, handle, path, draft, ifAbsent })
    }
    try {
      return await start()
    } catch (error) {
      if (statusOf(error) !== NO_SUCH_FILE || !createParents) throw error
      await this.mkdir(parent, { signal })
      return start()
    }
  }

  async status(path, signal) {
    const found = await this.#find(path, signal)
    if (found === undefined) throw refuse('NOT_FOUND', `${path || '/'} does not exist as a file or directory`)
    return found
  }

  async list(path, { limit = 1000, cursor = '', recursive = false, signal } = {}) {
    const entries = []
    try {
      for await (const found of this.#walk(path, recursive, cursor === '' ? [] : cursor.split('/'), signal)) {
        if (entries.length === limit) {
          return { entries, cursor: entries.at(-1).path.slice(path === '' ? 0 : path.length + 1) }
        }
        entries.push(found)
      }
      return { entries }
    } catch (error) {
      const isFile = statusOf(error) === NO_SUCH_FILE && (await this.#find(path, signal))?.directory === false
      throw isFile ? refuse('NOT_A_DIRECTORY', `${path} is a file`) : error
    }
  }

  async mkdir(path, { mode, signal } = {}) {
    try {
      await this.#call('mkdir', path, signal, (sftp, done) =>
        sftp.mkdir(this.#at(path) || '/', mode === undefined ? {} : { mode }, done),
      )
    } catch (error) {
      const found = await this.#find(path, signal)
      if (found?.directory) return
      if (found !== undefined) throw refuse('ALREADY_EXISTS', `${path} is a file`)
      if (statusOf(error) !== NO_SUCH_FILE || path === '') throw error
      await this.mkdir(parentOf(path), { signal })
      await this.mkdir(path, { mode, signal })
    }
  }

  async delete(path, { recursive = false, signal } = {}) {
    if (path === '') throw refuse('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { directory } = await this.status(path, signal)
    if (!directory) await this.#unlink(this.#at(path), path, signal)
    else if (recursive) await this.#deleteTree(this.#at(path), path, signal)
    else await this.#deleteEmpty(path, signal)
  }

  async rename(src, dst, signal) {
    if (src === '' || `${dst}/`.startsWith(`${src}/`)) {
      throw refuse('INVALID_ARGUMENT', `${src} cannot be moved below itself`)
    }
    await this.status(src, signal)
    if ((await this.#find(dst, signal)) !== undefined) throw refuse('ALREADY_EXISTS', `${dst} exists`)
    // The rename of the protocol itself, which refuses a target that has come meanwhile.
    await this.#call('rename', src, signal, (sftp, done) =>
      sftp.rename(this.#at(src), this.#at(dst), done),
    ).catch(async (error) => {
      const taken = statusOf(error) === FAILURE && (await this.#find(dst, signal)) !== undefined
      throw taken ? refuse('ALREADY_EXISTS', `${dst} exists`) : error
    })
  }

  async space(signal) {
    const {
      f_frsize: bytes,
      f_blocks: blocks,
      f_bfree: free,
    } = await this.#call('statvfs', '', signal, (sftp, done) =>
      sftp.ext_openssh_statvfs(this.#at('') || '/', done),
    )
    return { totalBytes: bytes * blocks, usedBytes: bytes * (blocks - free) }
  }

  async setAttributes(path) {
    throw refuse('UNSUPPORTED', `setAttributes ${path}: SFTP knows owners by number only`)
  }

  async close() {
    this.#connections.close()
  }

  /** Moves what a writer has written to its place. */
  async publish(draft, path, ifAbsent) {
    const place = this.#at(path)
    if (ifAbsent) {
      // A link is refused where a name stands, a rename would replace it.
      await this.#call('hardlink', path, undefined, (sftp, done) =>
        sftp.ext_openssh_hardlink(draft, place, done),
      ).catch(async (error) => {
        const taken = (await this.#find(path)) !== undefined
        throw taken ? refuse('ALREADY_EXISTS', `${path} exists`) : error
      })
      await this.discard(draft)
    } else {
      await this.#ageBeyond(draft, path)
      await this.#call('posix-rename', path, undefined, (sftp, done) =>
        sftp.ext_openssh_rename(draft, place, done),
      )
    }
    return this.status(path)
  }

  /** Removes what a writer has begun. */
  async discard(draft) {
    await this.#unlink(draft, draft).catch((error) => {
      if (statusOf(error) !== NO_SUCH_FILE) throw error
    })
  }

  callOn(session, operation, path, run) {
    return this.#connections.callOn(session, operation, path, undefined, run)
  }

  /** Whether no byte more fits: the protocol has no word for it. */
  async isFull() {
    const { totalBytes, usedBytes } = await this.space().catch(() => ({ totalBytes: 1, usedBytes: 0 }))
    return usedBytes >= totalBytes
  }

  /** Times have whole seconds: what replaces a version of the same length and second gets a later one, so that it is told apart. */
  async #ageBeyond(draft, path) {
    const [old, mine] = await Promise.all([this.#find(path), this.#look(draft, path)])
    if (old === undefined || old.length !== mine.length || old.modifiedMs < mine.modifiedMs) return
    const seconds = old.modifiedMs / 1000 + 1
    await this.#call('utimes', path, undefined, (sftp, done) => sftp.utimes(draft, seconds, seconds, done))
  }

  /** Undefined for what does not exist, and for links, which may lead anywhere. */
  async #find(path, signal) {
    try {
      return await this.#look(this.#at(path), path, signal)
    } catch (error) {
      if (statusOf(error) === NO_SUCH_FILE) return undefined
      throw error
    }
  }

  async #look(place, path, signal) {
    const attributes = await this.#call('lstat', path, signal, (sftp, done) =>
      path === '' ? sftp.stat(place || '/', done) : sftp.lstat(place, done),
    )
    return describe(path, attributes)
  }

  /** What comes after the names of `after`, in byte order, parents before their children. */
  async *#walk(path, recursive, [after = '', ...deeper], signal) {
    if (recursive && after !== '') yield* this.#below(childOf(path, after), deeper, signal)
    for await (const { name, attributes } of this.#listing.entries(
      this.#at(path) || '/',
      path,
      after,
      signal,
    )) {
      const found = describe(childOf(path, name), attributes)
      yield found
      if (recursive && found.directory) yield* this.#below(found.path, [], signal)
    }
  }

  async *#below(path, after, signal) {
    try {
      yield* this.#walk(path, true, after, signal)
    } catch (error) {
      // It went away since it was listed, or was a file.
      if (statusOf(error) !== NO_SUCH_FILE) throw error
    }
  }

  async #deleteEmpty(path, signal) {
    const remove = () => this.#rmdir(this.#at(path), path, signal)
    try {
      await remove()
    } catch (error) {
      if (statusOf(error) !== FAILURE) throw error
      const drafts = []
      for await (const batch of this.#listing.batches(this.#at(path), path, signal)) {
        if (batch.some(({ filename }) => !DRAFT.test(filename)))
          throw refuse('DIRECTORY_NOT_EMPTY', `${path} has children`)
        drafts.push(...batch)
      }
      // What broken-off writes have left is nobody's.
      for (const { filename } of drafts) await this.discard(`${this.#at(path)}/${filename}`)
      await remove()
    }
  }

  async #deleteTree(place, path, signal) {
    for await (const batch of this.#listing.batches(place, path, signal)) {
      for (let at = 0; at < batch.length; at += DELETES) {
        await Promise.all(
          batch.slice(at, at + DELETES).map(({ filename, attrs }) => {
            const child = `${place}/${filename}`
            return attrs.isDirectory()
              ? this.#deleteTree(child, path, signal)
              : this.#unlink(child, path, signal)
          }),
        )
      }
    }
    await this.#rmdir(place, path, signal)
  }

  #unlink(place, path, signal) {
    return this.#call('unlink', path, signal, (sftp, done) => sftp.unlink(place, done))
  }

  #rmdir(place, path, signal) {
    return this.#call('rmdir', path, signal, (sftp, done) => sftp.rmdir(place, done))
  }

  #call(operation, path, signal, run) {
    return this.#connections.call(operation, path, signal, run)
  }

  #at(path) {
    return path === '' ? this.#root : `${this.#root}/${path}`
  }
}

function parentOf(path) {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}

function childOf(path, name) {
  return path === '' ? name : `${path}/${name}`
}
