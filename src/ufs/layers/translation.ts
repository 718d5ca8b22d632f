/** The door for a store's errors and paths: what is thrown here is an AlluxioError, and no path leaves the root. */
import { fromErrno } from '../../core/index.ts'
import type { UfsReadOptions, UnderStore } from '../store.ts'
import { checkStorePath } from '../uri.ts'
import { around, type ChunkSource, iterable, writerAround } from './around.ts'

/** A third party's store may throw anything, at once or later; nothing of that may take a daemon down. */
export function translationLayer(store: UnderStore, uri: string): UnderStore {
  const guarded = around(store, {
    async call(call, run) {
      checkStorePath(call.path)
      try {
        return await run(call.signal)
      } catch (error) {
        throw fromErrno(error, `ufs.${call.operation}`, `${uri} ${call.path}`)
      }
    },
    read: (path, options, open) => iterable(() => new TranslatedRead(path, options, open, uri)),
    write: (path, writer) =>
      writerAround(writer, async (_kind, _bytes, run) => {
        try {
          return await run()
        } catch (error) {
          throw fromErrno(error, 'ufs.create', `${uri} ${path}`)
        }
      }),
  })
  return {
    ...guarded,
    async rename(src, dst, signal) {
      checkStorePath(dst)
      return guarded.rename(src, dst, signal)
    },
  }
}

class TranslatedRead implements ChunkSource {
  readonly #open: () => AsyncIterator<Uint8Array>
  readonly #uri: string
  readonly #path: string
  #inner: AsyncIterator<Uint8Array> | undefined

  constructor(path: string, options: UfsReadOptions, open: UnderStore['open'], uri: string) {
    this.#uri = uri
    this.#path = path
    this.#open = () => {
      checkStorePath(path)
      return open(path, options)[Symbol.asyncIterator]()
    }
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      this.#inner ??= this.#open()
      return await this.#inner.next()
    } catch (error) {
      throw fromErrno(error, 'ufs.open', `${this.#uri} ${this.#path}`)
    }
  }

  async return(): Promise<void> {
    await this.#inner?.return?.()
  }
}
