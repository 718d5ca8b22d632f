/** The real disk behind the `BlockDisk` port. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { AlluxioError, fromErrno } from '../core/index.ts'
import type { BlockDisk, BlockFile, FileFacts } from './disk.ts'
import { mapFile } from './map.ts'

const FLAGS = { read: 'r', create: 'w+', update: 'r+' } as const

export class FileDisk implements BlockDisk {
  readonly bootTag: string

  constructor() {
    this.bootTag = readBootTag()
  }

  open(path: string, mode: 'read' | 'create' | 'update'): BlockFile {
    try {
      return new RealFile(path, fs.openSync(path, FLAGS[mode], 0o644))
    } catch (error) {
      throw fromErrno(error, 'open', path)
    }
  }

  facts(path: string): FileFacts {
    try {
      return factsOf(fs.statSync(path))
    } catch (error) {
      throw fromErrno(error, 'stat', path)
    }
  }

  rename(from: string, to: string): void {
    try {
      fs.renameSync(from, to)
    } catch (error) {
      throw fromErrno(error, 'rename', from)
    }
  }

  remove(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.unlink(path, (error) => {
        if (error === null || error.code === 'ENOENT') resolve()
        else reject(fromErrno(error, 'unlink', path))
      })
    })
  }

  removeNow(path: string): void {
    try {
      fs.unlinkSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fromErrno(error, 'unlink', path)
    }
  }

  makeFolder(path: string): void {
    try {
      fs.mkdirSync(path, { recursive: true })
    } catch (error) {
      throw fromErrno(error, 'mkdir', path)
    }
  }

  async *list(folder: string): AsyncIterable<readonly string[]> {
    try {
      const names = await fs.promises.readdir(folder)
      for (let i = 0; i < names.length; i += 4096) yield names.slice(i, i + 4096)
    } catch (error) {
      throw fromErrno(error, 'list', folder)
    }
  }

  async syncFolder(folder: string): Promise<void> {
    try {
      const handle = await fs.promises.open(folder, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw fromErrno(error, 'fsync', folder)
    }
  }

  space(folder: string): { totalBytes: number; freeBytes: number } {
    try {
      const stat = fs.statfsSync(folder)
      return { totalBytes: stat.blocks * stat.bsize, freeBytes: stat.bavail * stat.bsize }
    } catch (error) {
      throw fromErrno(error, 'statfs', folder)
    }
  }
}

/**
 * An open file. Closing it while the thread pool works on it would let the kernel hand the same number to another file under
 * that work, so the descriptor goes with the last operation.
 */
class RealFile implements BlockFile {
  readonly path: string
  #fd: number
  #pending = 0
  #closing = false

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  facts(): FileFacts {
    try {
      return factsOf(fs.fstatSync(this.#open('fstat')))
    } catch (error) {
      throw fromErrno(error, 'fstat', this.path)
    }
  }

  readSync(buffer: Uint8Array, position: number): number {
    try {
      const fd = this.#open('read')
      let done = fs.readSync(fd, buffer, 0, buffer.length, position)
      while (done < buffer.length) {
        const n = fs.readSync(fd, buffer, done, buffer.length - done, position + done)
        if (n === 0) break
        done += n
      }
      return done
    } catch (error) {
      throw fromErrno(error, 'read', this.path)
    }
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#pooled('read', (fd, done) => {
      const step = (sum: number): void => {
        fs.read(fd, buffer, sum, buffer.length - sum, position + sum, (error, n) => {
          if (error !== null) done(error, sum)
          else if (n === 0 || sum + n === buffer.length) done(null, sum + n)
          else step(sum + n)
        })
      }
      step(0)
    })
  }

  writeSync(bytes: Uint8Array, position: number): void {
    try {
      const fd = this.#open('write')
      let done = 0
      while (done < bytes.length) {
        done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
      }
    } catch (error) {
      throw fromErrno(error, 'write', this.path)
    }
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#pooled('write', (fd, done) => {
      const step = (sum: number): void => {
        fs.write(fd, bytes, sum, bytes.length - sum, position + sum, (error, n) => {
          if (error !== null || sum + n === bytes.length) done(error, undefined)
          else step(sum + n)
        })
      }
      step(0)
    })
  }

  #pooled<T>(
    operation: string,
    run: (fd: number, done: (error: NodeJS.ErrnoException | null, value: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fd = this.#open(operation)
      this.#pending++
      run(fd, (error, value) => {
        this.#pending--
        if (this.#closing && this.#pending === 0) this.#closeNow()
        if (error === null) resolve(value)
        else reject(fromErrno(error, operation, this.path))
      })
    })
  }

  /** The descriptor; a closed file's number may be another file's by now. */
  #open(operation: string): number {
    if (this.#fd < 0 || this.#closing) {
      throw new AlluxioError('INTERNAL', `${operation} ${this.path}: the file is closed`)
    }
    return this.#fd
  }

  setModified(ms: number): void {
    try {
      fs.futimesSync(this.#open('futimes'), ms / 1000, ms / 1000)
    } catch (error) {
      throw fromErrno(error, 'futimes', this.path)
    }
  }

  resize(size: number): void {
    try {
      fs.ftruncateSync(this.#open('ftruncate'), size)
    } catch (error) {
      throw fromErrno(error, 'ftruncate', this.path)
    }
  }

  sync(): Promise<void> {
    return this.#pooled('fdatasync', (fd, done) => {
      fs.fdatasync(fd, (error) => done(error, undefined))
    })
  }

  map(size: number): Uint8Array {
    return mapFile(this.#open('mmap'), size, this.path)
  }

  close(): void {
    this.#closing = true
    if (this.#pending === 0) this.#closeNow()
  }

  #closeNow(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    this.#fd = -1
    fs.closeSync(fd)
  }
}

function factsOf(stat: fs.Stats): FileFacts {
  return { size: stat.size, mtimeMs: stat.mtimeMs, allocatedBytes: stat.blocks * 512 }
}

/** Linux makes a new random id at every boot; elsewhere none is known, and no seal of another time is trusted. */
function readBootTag(): string {
  try {
    const id = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    return createHash('sha256').update(id).digest('hex').slice(0, 16)
  } catch {
    return NO_BOOT
  }
}

export const NO_BOOT = '0000000000000000'
