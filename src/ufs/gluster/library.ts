/** libgfapi, GlusterFS's client library, through koffi. Loaded when the first volume is opened. */
import { createRequire } from 'node:module'
import { getSystemErrorMessage } from 'node:util'
import type * as Koffi from 'koffi'
import { AlluxioError } from '../../core/index.ts'

/** A pointer as koffi has it; null is NULL. */
export type Pointer = bigint | null
export type Argument = Pointer | number | string | Uint8Array

/** koffi knows no ssize_t, so int64_t stands for it. Where a function has versions, the loader gives the newest. */
const DECLARATIONS = {
  glfs_new: 'void *glfs_new(const char *)',
  glfs_set_volfile_server: 'int glfs_set_volfile_server(void *, const char *, const char *, int)',
  glfs_set_xlator_option: 'int glfs_set_xlator_option(void *, const char *, const char *, const char *)',
  glfs_set_logging: 'int glfs_set_logging(void *, const char *, int)',
  glfs_init: 'int glfs_init(void *)',
  glfs_fini: 'int glfs_fini(void *)',
  glfs_h_lookupat: 'void *glfs_h_lookupat(void *, void *, const char *, void *, int)',
  glfs_h_open: 'void *glfs_h_open(void *, void *, int)',
  glfs_h_close: 'int glfs_h_close(void *)',
  glfs_creat: 'void *glfs_creat(void *, const char *, int, uint)',
  glfs_close: 'int glfs_close(void *)',
  glfs_pread: 'int64_t glfs_pread(void *, void *, size_t, int64_t, int, void *)',
  glfs_pwrite: 'int64_t glfs_pwrite(void *, const void *, size_t, int64_t, int, void *, void *)',
  glfs_fdatasync: 'int glfs_fdatasync(void *, void *, void *)',
  glfs_fchown: 'int glfs_fchown(void *, uint, uint)',
  glfs_fchmod: 'int glfs_fchmod(void *, uint)',
  glfs_lstat: 'int glfs_lstat(void *, const char *, void *)',
  glfs_readlink: 'int glfs_readlink(void *, const char *, void *, size_t)',
  glfs_mkdir: 'int glfs_mkdir(void *, const char *, uint)',
  glfs_rmdir: 'int glfs_rmdir(void *, const char *)',
  glfs_unlink: 'int glfs_unlink(void *, const char *)',
  glfs_link: 'int glfs_link(void *, const char *, const char *)',
  glfs_rename: 'int glfs_rename(void *, const char *, const char *)',
  glfs_chmod: 'int glfs_chmod(void *, const char *, uint)',
  glfs_chown: 'int glfs_chown(void *, const char *, uint, uint)',
  glfs_statvfs: 'int glfs_statvfs(void *, const char *, void *)',
  glfs_opendir: 'void *glfs_opendir(void *, const char *)',
  glfs_closedir: 'int glfs_closedir(void *)',
  glfs_seekdir: 'void glfs_seekdir(void *, long)',
  glfs_readdirplus_r: 'int glfs_readdirplus_r(void *, void *, void *, void *)',
} as const

export type FunctionName = keyof typeof DECLARATIONS

interface Native {
  (...args: Argument[]): unknown
  async(...args: [...Argument[], (error: Error | null, result: unknown) => void]): void
}

export class Library {
  readonly #functions: Readonly<Record<FunctionName, Native>>
  readonly #koffi: typeof Koffi
  readonly #names: ReadonlyMap<number, string>
  /** Arguments of the calls under way: memory that C works on must not go. */
  readonly #held = new Set<readonly Argument[]>()

  constructor(functions: Readonly<Record<FunctionName, Native>>, koffi: typeof Koffi) {
    this.#functions = functions
    this.#koffi = koffi
    this.#names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number as number, name]))
  }

  /** @throws UNSUPPORTED, reason LIBRARY_MISSING, saying what to install */
  static load(file: string): Library {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
      const library = koffi.load(file)
      const functions = Object.fromEntries(
        Object.entries(DECLARATIONS).map(([name, declaration]) => [name, library.func(declaration)]),
      )
      return new Library(functions as unknown as Record<FunctionName, Native>, koffi)
    } catch (error) {
      throw new AlluxioError(
        'UNSUPPORTED',
        `${file} cannot be loaded (${error instanceof Error ? error.message : String(error)}): install GlusterFS's client library (apt-get install libgfapi0; on Red Hat's systems dnf install glusterfs-api), or mount the volume and name the folder by alluxio.underfs.glusterfs.mount=/mnt/VOLUME`,
        { reason: 'LIBRARY_MISSING', cause: error },
      )
    }
  }

  /** A call that asks no server, on this thread. */
  now(name: FunctionName, ...args: Argument[]): unknown {
    return this.#functions[name](...args)
  }

  /**
   * A call on a thread of Node.js's pool. `args` must stay as they are until `done`.
   * A function has failed when it says so (-1 or NULL); its errno is then the error's.
   */
  start(
    name: FunctionName,
    args: readonly Argument[],
    done: (error: Error | undefined, result: unknown) => void,
  ): void {
    this.#held.add(args)
    this.#functions[name].async(...args, (error, result) => {
      // The errno of a call is there during its callback only.
      const errno = this.#koffi.errno()
      this.#held.delete(args)
      if (error !== null) done(error, undefined)
      else if (result === null || Number(result) === -1) done(this.#error(name, errno), undefined)
      else done(undefined, result)
    })
  }

  #error(name: string, errno: number): Error {
    // The library at times fails without a reason.
    const code = errno === 0 ? 'EIO' : (this.#names.get(errno) ?? `ERRNO_${errno}`)
    const text = errno === 0 ? 'no reason given' : getSystemErrorMessage(-errno)
    return Object.assign(new Error(`${code}: ${text}, ${name}`), { code, errno: -errno })
  }
}
