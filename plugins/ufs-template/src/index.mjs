/**
 * A store to copy: `template://NAME/FOLDER` keeps files in the memory of its thread, under names with slashes. Replace the maps
 * by calls to your server. Paths have no leading slash, the root is ''.
 */
import { AlluxioError } from 'alluxio/ufs'

/** What stands for the server: by NAME, files and directories by their whole path. */
const servers = new Map()

/** @type {import('alluxio/ufs').UfsFactory} */
export default {
  schemes: ['template'],
  /** Makes no call to the server: one that is down fails the first call, not the mount's declaration. */
  async open(uri, options, { secret }) {
    // A secret is a reference (env:NAME, file:PATH); what secret() gave never shows in an error of this store.
    const password = options['template.password'] && secret('template.password', options['template.password'])
    if (!servers.has(uri.authority))
      servers.set(uri.authority, { files: new Map(), directories: new Set([uri.path]) })
    return new TemplateStore(servers.get(uri.authority), uri.path, password)
  },
}

/** @implements {import('alluxio/ufs').UnderStore} */
class TemplateStore {
  scheme = 'template'
  /** Say only what is always true: Alluxio relies on it, and the suite tests it. */
  capabilities = {
    atomicRename: true,
    directoryRename: true,
    directories: true,
    etag: true,
    conditionalCreate: true,
    objectMetadata: false,
    posix: false,
    space: false,
    orderedList: true,
    bestRangeBytes: 8 * 2 ** 20,
    bestRangeParallelism: 4,
  }
  #server
  #root
  #version = 0

  constructor(server, root) {
    this.#server = server
    this.#root = root
  }

  /** A range as chunks. What is yielded is the reader's: it may be moved away, so copy what you want to keep. */
  async *open(path, { offset, length, fingerprint, onFingerprint, signal }) {
    const found = await this.status(path, signal)
    if (found.directory) throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
    if (fingerprint !== undefined && fingerprint !== found.fingerprint) throw changed(path)
    onFingerprint?.(found.fingerprint)
    const { bytes } = this.#server.files.get(this.#at(path))
    const end = Math.min(bytes.length, offset + length)
    for (let at = offset; at < end; at += 2 ** 20) {
      signal?.throwIfAborted()
      yield bytes.slice(at, Math.min(end, at + 2 ** 20))
    }
  }

  /** Nothing is visible before `close`, nothing is left after `abort`. */
  async create(path, { ifAbsent = false, createParents = true, signal } = {}) {
    const check = () => {
      if (this.#isDirectory(path)) throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory`)
      if (ifAbsent && this.#server.files.has(this.#at(path))) {
        throw new AlluxioError('ALREADY_EXISTS', `${path} exists`)
      }
    }
    check()
    if (createParents) await this.mkdir(parentOf(path), { signal })
    else if (!this.#isDirectory(parentOf(path))) throw missing(parentOf(path))
    const chunks = []
    return {
      write: async (chunk) => void chunks.push(Buffer.from(chunk)),
      close: async () => {
        check()
        const file = { bytes: Buffer.concat(chunks), modifiedMs: Date.now(), version: ++this.#version }
        this.#server.files.set(this.#at(path), file)
        return this.status(path)
      },
      abort: async () => void chunks.splice(0),
    }
  }

  async status(path, signal) {
    signal?.throwIfAborted()
    if (this.#isDirectory(path)) {
      return { path, directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
    }
    const file = this.#server.files.get(this.#at(path))
    if (file === undefined) throw missing(path)
    const { bytes, modifiedMs, version } = file
    return { path, directory: false, length: bytes.length, modifiedMs, fingerprint: `v${version}` }
  }

  /** One page after `cursor`: any text that says where to go on, also when names come and go in between. */
  async list(path, { limit = 1000, cursor, recursive = false, signal } = {}) {
    const { directory } = await this.status(path, signal)
    if (!directory) throw new AlluxioError('NOT_A_DIRECTORY', `${path} is a file`)
    const below = this.#at(path) === '' ? '' : `${this.#at(path)}/`
    const names = [...this.#server.files.keys(), ...this.#server.directories]
      .filter((name) => name.startsWith(below) && name !== below && name.length > below.length)
      .map((name) => name.slice(below.length))
      .filter((name) => (recursive || !name.includes('/')) && (cursor === undefined || before(cursor, name)))
      .sort((a, b) => (before(a, b) ? -1 : 1))
    const page = names.slice(0, limit)
    const entries = await Promise.all(page.map((name) => this.status(path === '' ? name : `${path}/${name}`)))
    return names.length > limit ? { entries, cursor: page.at(-1) } : { entries }
  }

  async mkdir(path, { signal } = {}) {
    signal?.throwIfAborted()
    const { files, directories } = this.#server
    if (files.has(this.#at(path))) throw new AlluxioError('ALREADY_EXISTS', `${path} is a file`)
    if (path !== '') await this.mkdir(parentOf(path))
    directories.add(this.#at(path))
  }

  async delete(path, { recursive = false, signal } = {}) {
    const { directory } = await this.status(path, signal)
    if (path === '') throw new AlluxioError('INVALID_ARGUMENT', 'the root of a store cannot be deleted')
    const { files, directories } = this.#server
    const inside = [...files.keys(), ...directories].filter((name) => name.startsWith(`${this.#at(path)}/`))
    if (directory && inside.length > 0 && !recursive) {
      throw new AlluxioError('DIRECTORY_NOT_EMPTY', `${path} has children`)
    }
    for (const name of [...inside, this.#at(path)]) {
      files.delete(name)
      directories.delete(name)
    }
  }

  async rename(src, dst, signal) {
    await this.status(src, signal)
    if (`${dst}/`.startsWith(`${src}/`)) {
      throw new AlluxioError('INVALID_ARGUMENT', `${src} cannot be moved below itself`)
    }
    if (!this.#isDirectory(parentOf(dst))) throw missing(parentOf(dst))
    const { files, directories } = this.#server
    const [from, to] = [this.#at(src), this.#at(dst)]
    if (files.has(to) || directories.has(to)) throw new AlluxioError('ALREADY_EXISTS', `${dst} exists`)
    const moved = (name) => name === from || name.startsWith(`${from}/`)
    for (const name of [...directories].filter(moved)) {
      directories.delete(name)
      directories.add(to + name.slice(from.length))
    }
    for (const name of [...files.keys()].filter(moved)) {
      files.set(to + name.slice(from.length), files.get(name))
      files.delete(name)
    }
  }

  async space() {
    throw new AlluxioError('UNSUPPORTED', 'a template has no space')
  }

  async setAttributes(path) {
    throw new AlluxioError('UNSUPPORTED', `${path}: a template keeps no attributes`)
  }

  async close() {}

  #at(path) {
    return [this.#root, path].filter((part) => part !== '').join('/')
  }

  #isDirectory(path) {
    return this.#server.directories.has(this.#at(path))
  }
}

function parentOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** In the byte order of the names, a directory before what is in it. */
function before(a, b) {
  const [x, y] = [a.split('/'), b.split('/')]
  const at = x.findIndex((name, i) => name !== y[i])
  if (at === -1) return x.length < y.length
  return y[at] !== undefined && Buffer.compare(Buffer.from(x[at]), Buffer.from(y[at])) < 0
}

function missing(path) {
  return new AlluxioError('NOT_FOUND', `${path || '/'} does not exist as a file or directory`)
}

function changed(path) {
  return new AlluxioError('CONFLICT', `${path} has changed`, { reason: 'SOURCE_CHANGED' })
}
