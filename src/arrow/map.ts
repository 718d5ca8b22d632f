/**
 * Maps files into memory with mmap(2). A mapping is given back by the garbage collector, never by hand: a view of memory
 * that is unmapped crashes the process. For the same reason a mapped file is never cut short, only unlinked.
 */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { AlluxioError } from '../core/index.ts'

const PROT_READ = 1
const MAP_SHARED = 1
/** The last mapping of a removed file takes its pages along, 0.2 s a GiB: above this size the thread pool does that. */
const POOLED_BYTES = 2 ** 20
/** Of the pool's four threads. */
const MOST_UNMAPPING = 2

interface Libc {
  readonly koffi: typeof Koffi
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): unknown
  readonly munmap: {
    (address: unknown, length: number): number
    async(address: unknown, length: number, done: () => void): void
  }
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

interface Mapping {
  readonly address: unknown
  readonly length: number
}

/** One mapping is one ArrayBuffer; every view of it keeps it alive. */
const mappings = new FinalizationRegistry<Mapping>((mapping) => {
  if (mapping.length < POOLED_BYTES) load().munmap(mapping.address, mapping.length)
  else {
    dropped.push(mapping)
    if (unmapping < MOST_UNMAPPING) unmapNext()
  }
})
const dropped: Mapping[] = []
let unmapping = 0

function unmapNext(): void {
  const mapping = dropped.pop()
  if (mapping === undefined) return
  unmapping++
  load().munmap.async(mapping.address, mapping.length, () => {
    unmapping--
    unmapNext()
  })
}

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
