/**
 * Maps files into memory with mmap(2). A mapping is given back by the garbage collector, never by hand: a view of memory
 * that is unmapped crashes the process. For the same reason a mapped file is never cut short, only unlinked.
 */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { AlluxioError } from '../core/index.ts'

const PROT_READ = 1
const MAP_SHARED = 1

interface Libc {
  readonly koffi: typeof Koffi
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): unknown
  munmap(address: unknown, length: number): number
}

let libc: Libc | undefined

/** koffi costs 10 ms to load, so a process that maps nothing never loads it. */
function load(): Libc {
  if (libc === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    const library = koffi.load(process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6')
    libc = {
      koffi,
      mmap: library.func('void *mmap(void *, size_t, int, int, int, int64_t)') as unknown as Libc['mmap'],
      munmap: library.func('int munmap(void *, size_t)') as unknown as Libc['munmap'],
    }
  }
  return libc
}

/** One mapping is one ArrayBuffer; every view of it keeps it alive. */
const mappings = new FinalizationRegistry<{ address: unknown; length: number }>(({ address, length }) => {
  load().munmap(address, length)
})

/** The first `length` bytes of an open file. @throws RESOURCE_EXHAUSTED when the kernel refuses */
export function mapFile(fd: number, length: number, path: string): Uint8Array {
  const { mmap, koffi } = load()
  const address = mmap(null, length, PROT_READ, MAP_SHARED, fd, 0)
  if (address === null || koffi.address(address as never) === 0xffff_ffff_ffff_ffffn) {
    throw new AlluxioError('RESOURCE_EXHAUSTED', `map ${path}: mmap of ${length} bytes failed`, {
      reason: 'ENOMEM',
    })
  }
  const memory = koffi.view(address, length)
  mappings.register(memory, { address, length })
  return new Uint8Array(memory)
}
