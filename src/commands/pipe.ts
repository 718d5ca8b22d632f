/** The pipe that standard output goes to. */
import { fstatSync } from 'node:fs'
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'

/** fcntl(2): F_SETPIPE_SZ, and what an unprivileged process may ask for. */
const SET_PIPE_SIZE = 1031
const PIPE_BYTES = 2 ** 20

/**
 * Lets a pipe hold a MiB instead of 64 KiB, so that reader and writer wait for each other less often (measured: a GiB to `wc -c` in
 * 0.57 s instead of 1.29 s). Nothing happens where that cannot be done.
 */
export function widenPipe(fd: number): void {
  if (process.platform !== 'linux' || !fstatSync(fd).isFIFO()) return
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    koffi.load('libc.so.6').func('int fcntl(int, int, int)')(fd, SET_PIPE_SIZE, PIPE_BYTES)
  } catch {
    // The pipe stays as it is.
  }
}
