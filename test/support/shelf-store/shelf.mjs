/**
 * A store as a third party would write it: one module, nothing but Node.js and the documented interface. `shelf://NAME/PATH`
 * keeps its files in the folder `shelf.root`/NAME/PATH.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** @type {import('../../../src/ufs/plug-in.ts').UfsFactory} */
export default {
  schemes: ['shelf'],
  async open(uri, options) {
    if (!options['shelf.root']) throw new Error('a shelf needs --option shelf.root=FOLDER')
    return new ShelfStore(join(options['shelf.root'], uri.authority), uri.path)
  },
}

class ShelfStore {
  scheme = 'shelf'
  capabilities = {
    atomicRename: true,
    directoryRename: true,
    directories: true,
    etag: false,
    conditionalCreate: true,
    objectMetadata: false,
    posix: false,
    space: false,
    orderedList: true,
    bestRangeBytes: 1 << 20,
    bestRangeParallelism: 2,
  }
  #root
  #drafts

  constructor(shelf, path) {
    this.#root = join(shelf, 'files', path)
    this.#drafts = join(shelf, 'drafts')
  }

  async *open(path, { offset, length, fingerprint, onFingerprint, signal }) {
    const found = await this.status(path)
    if (found.directory) throw errno('EISDIR', path)
    if (fingerprint !== undefined && fingerprint !== found.fingerprint) throw changed(path)
    onFingerprint?.(found.fingerprint)
    if (length === 0 || offset >= found.length) return
    yield* createReadStream(this.#at(path), { start: offset, end: offset + length - 1, signal })
    if ((await this.status(path)).fingerprint !== found.fingerprint) throw changed(path)
  }

  async create(path, { ifAbsent = false, createParents = true } = {}) {
    const target = this.#at(path)
    const existing = await stat(target).catch(() => undefined)
    if (existing?.isDirectory()) throw errno('EISDIR', path)
    if (existing !== undefined && ifAbsent) throw errno('EEXIST', path)
    if (createParents) await mkdir(dirname(target), { recursive: true })
    else await stat(dirname(target))
    await mkdir(this.#drafts, { recursive: true })
    const draft = join(this.#drafts, randomUUID())
    const file = await open(draft, 'wx')
    return {
      write: (chunk) => file.writeFile(chunk),
      close: async () => {
        await file.close()
        if (ifAbsent) await link(draft, target).finally(() => unlink(draft))
        else await rename(draft, target)
        return this.status(path)
      },
      abort: async () => {
        await file.close()
        await rm(draft, { force: true })
      },
    }
  }

  async status(path) {
    const found = await stat(this.#at(path))
    return statusOf(path, found)
  }

  async list(path, { limit = 1000, cursor = '', recursive = false } = {}) {
    const entries = []
    for await (const found of this.#walk(path, recursive, cursor === '' ? [] : cursor.split('/'))) {
      if (entries.length === limit) {
        return { entries, cursor: entries.at(-1).path.slice(path === '' ? 0 : path.length + 1) }
      }
      entries.push(found)
    }
    return { entries }
  }

  /** What comes after the names of `after`, in byte order, parents before their children. */
  async *#walk(path, recursive, [after, ...deeper]) {
    const names = (await readdir(this.#at(path))).map((name) => Buffer.from(name)).sort(Buffer.compare)
    for (const name of names) {
      const order = after === undefined ? 1 : Buffer.compare(name, Buffer.from(after))
      if (order < 0) continue
      const found = await this.status(path === '' ? `${name}` : `${path}/${name}`)
      if (order > 0) yield found
      if (recursive && found.directory) yield* this.#walk(found.path, recursive, order === 0 ? deeper : [])
    }
  }

  async mkdir(path) {
    await mkdir(this.#at(path), { recursive: true })
  }

  async delete(path, { recursive = false } = {}) {
    if (path === '') throw alluxioError('INVALID_ARGUMENT', 'the root of a shelf cannot be deleted')
    const { directory } = await this.status(path)
    if (!directory) await unlink(this.#at(path))
    else if (recursive) await rm(this.#at(path), { recursive: true })
    else await rmdir(this.#at(path))
  }

  async rename(src, dst) {
    await stat(this.#at(src))
    if (await stat(this.#at(dst)).catch(() => undefined)) throw errno('EEXIST', dst)
    await rename(this.#at(src), this.#at(dst))
  }

  async space() {
    throw unsupported('space')
  }

  async setAttributes() {
    throw unsupported('setAttributes')
  }

  async close() {}

  #at(path) {
    return join(this.#root, path)
  }
}

function statusOf(path, found) {
  const directory = found.isDirectory()
  return {
    path,
    directory,
    length: directory ? 0 : found.size,
    modifiedMs: found.mtimeMs,
    fingerprint: directory ? '' : `${found.size}:${found.mtimeMs}:${found.ino}`,
  }
}

function errno(code, path) {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** Errors of Alluxio's own form, without a dependency on it: they are known by their brand. */
function alluxioError(code, message, reason) {
  const error = Object.assign(new Error(message), { code, reason, details: {} })
  return Object.defineProperty(error, Symbol.for('alluxio.error'), { value: true })
}

function changed(path) {
  return alluxioError('CONFLICT', `${path} has changed`, 'SOURCE_CHANGED')
}

function unsupported(operation) {
  return alluxioError('UNSUPPORTED', `a shelf has no ${operation}`)
}
