/** How a layer stands round a store: three hooks, from which a whole store is made. */
import type { UfsCreateOptions, UfsReadOptions, UfsStatus, UfsWriter, UnderStore } from '../store.ts'

export type UfsOperation =
  | 'open'
  | 'create'
  | 'status'
  | 'list'
  | 'mkdir'
  | 'delete'
  | 'rename'
  | 'space'
  | 'setAttributes'
  | 'blockLocations'
  | 'checksum'
  | 'changes'
  | 'moveObjects'
  | 'clean'

export interface UfsCall {
  readonly operation: UfsOperation
  readonly path: string
  readonly signal: AbortSignal | undefined
  /** It may touch any number of objects: recursive delete, rename. */
  readonly bulk: boolean
}

type Run<T> = (signal: AbortSignal | undefined) => Promise<T>
type Open = (path: string, options: UfsReadOptions) => AsyncIterable<Uint8Array>

export interface Hooks {
  call?<T>(call: UfsCall, run: Run<T>): Promise<T>
  read?(path: string, options: UfsReadOptions, open: Open): AsyncIterable<Uint8Array>
  write?(path: string, writer: UfsWriter): UfsWriter
}

/** `store` with `hooks` round every operation. What a layer does not hook passes through untouched. */
export function around(store: UnderStore, hooks: Hooks): UnderStore {
  const { read, write } = hooks
  const call = hooks.call?.bind(hooks) ?? (<T>(given: UfsCall, run: Run<T>) => run(given.signal))
  const simple = <T>(operation: UfsOperation, path: string, signal: AbortSignal | undefined, run: Run<T>) =>
    call({ operation, path, signal, bulk: operation === 'rename' }, run)
  const open: Open = (path, options) => store.open(path, options)
  return {
    scheme: store.scheme,
    capabilities: store.capabilities,
    open: read === undefined ? open : (path, options) => read.call(hooks, path, options, open),
    async create(path, options) {
      const writer = await simple('create', path, options?.signal, (signal) =>
        store.create(path, withSignal<UfsCreateOptions>(options, signal)),
      )
      return write === undefined ? writer : write.call(hooks, path, writer)
    },
    status: (path, signal) => simple('status', path, signal, (inner) => store.status(path, inner)),
    list: (path, options) =>
      simple('list', path, options?.signal, (signal) => store.list(path, withSignal(options, signal))),
    mkdir: (path, options) =>
      simple('mkdir', path, options?.signal, (signal) => store.mkdir(path, withSignal(options, signal))),
    delete: (path, options) =>
      call(
        { operation: 'delete', path, signal: options?.signal, bulk: options?.recursive === true },
        (signal) => store.delete(path, withSignal(options, signal)),
      ),
    rename: (src, dst, signal) => simple('rename', src, signal, (inner) => store.rename(src, dst, inner)),
    space: (signal) => simple('space', '', signal, (inner) => store.space(inner)),
    setAttributes: (path, attributes, signal) =>
      simple('setAttributes', path, signal, (inner) => store.setAttributes(path, attributes, inner)),
    ...(store.blockLocations === undefined
      ? {}
      : {
          blockLocations: (path, range) =>
            simple('blockLocations', path, range?.signal, (signal) =>
              store.blockLocations!(path, withSignal(range, signal)),
            ),
        }),
    ...(store.changes === undefined
      ? {}
      : {
          changes: (path, options) =>
            simple('changes', path, options?.signal, (signal) =>
              store.changes!(path, withSignal(options, signal)),
            ),
        }),
    ...(store.moveObjects === undefined
      ? {}
      : {
          moveObjects: (src, dst, options) =>
            call({ operation: 'moveObjects', path: src, signal: options?.signal, bulk: true }, (signal) =>
              store.moveObjects!(src, dst, withSignal(options, signal)),
            ),
        }),
    ...(store.clean === undefined
      ? {}
      : {
          clean: (signal) =>
            call({ operation: 'clean', path: '', signal, bulk: true }, (inner) => store.clean!(inner)),
        }),
    ...(store.checksum === undefined
      ? {}
      : {
          checksum: (path, signal) =>
            simple('checksum', path, signal, (inner) => store.checksum!(path, inner)),
        }),
    close: () => store.close(),
  }
}

function withSignal<T extends { readonly signal?: AbortSignal }>(
  options: T | undefined,
  signal: AbortSignal | undefined,
): T {
  if (signal === options?.signal) return options ?? ({} as T)
  return { ...options, signal } as T
}

/** A stream of chunks written by hand: one promise a chunk, none of a generator's bookkeeping. */
export interface ChunkSource {
  next(): Promise<IteratorResult<Uint8Array>>
  return(): Promise<void>
}

export function iterable(make: () => ChunkSource): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const source = make()
      return {
        next: () => source.next(),
        async return() {
          await source.return()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

/** A writer that sends every step through `step`. */
export function writerAround(
  writer: UfsWriter,
  step: <T>(kind: 'write' | 'close' | 'abort', bytes: number, run: () => Promise<T>) => Promise<T>,
): UfsWriter {
  return {
    write: (chunk) => step('write', chunk.length, () => writer.write(chunk)),
    close: () => step<UfsStatus>('close', 0, () => writer.close()),
    abort: () => step('abort', 0, () => writer.abort()),
  }
}
