/** Bytes straight from the source, kept nowhere: NO_CACHE reads, and reads for which no tier has space. */
import { type FillSource, wrongLength } from './fill.ts'
import type { StoreMetrics } from './metrics.ts'

/**
 * Chunks of `offset` … `end` in order. Ranges are fetched in parallel, one more for each that the reader has consumed, so that
 * a reader that stops early has moved little.
 */
export async function* passThrough(
  source: FillSource,
  metrics: StoreMetrics,
  offset: number,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const ahead: Promise<Uint8Array[]>[] = []
  const fetch = (from: number, to: number) => {
    metrics.fetches.add()
    return source.fetch(from, to - from, controller.signal)
  }
  try {
    // The first range is streamed, for the time to the first byte.
    let next = Math.min(end, offset + source.rangeBytes)
    let first = 0
    for await (const chunk of fetch(offset, next)) {
      metrics.fetchedBytes.add(chunk.length)
      first += chunk.length
      yield chunk
    }
    if (first !== next - offset) throw wrongLength(first, next - offset)
    for (let consumed = 1; next < end || ahead.length > 0; consumed++) {
      const most = Math.min(source.rangeParallelism, consumed)
      while (ahead.length < most && next < end) {
        const stop = Math.min(end, next + source.rangeBytes)
        const range = collect(fetch(next, stop), stop - next, metrics)
        range.catch(() => {})
        ahead.push(range)
        next = stop
      }
      yield* await ahead.shift()!
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    controller.abort()
  }
}

async function collect(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
  metrics: StoreMetrics,
): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    metrics.fetchedBytes.add(chunk.length)
    bytes += chunk.length
    all.push(chunk)
  }
  if (bytes !== length) throw wrongLength(bytes, length)
  return all
}
