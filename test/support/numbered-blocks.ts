/** Files of an under-store made of numbered MiBs, so that a piece that is lost, doubled or at the wrong place shows. */
import { createHash } from 'node:crypto'
import type { UfsStatus, UnderStore } from '../../src/ufs/index.ts'

export const MIB = 2 ** 20

export function numberedBlock(index: number): Uint8Array {
  return new Uint8Array(MIB).map((_, i) => (i * 7 + index * 13 + (i >>> 9)) & 255)
}

export async function writeBlocks(
  store: UnderStore,
  path: string,
  blocks: number,
  between?: (i: number) => unknown,
  first = 0,
): Promise<UfsStatus> {
  const writer = await store.create(path)
  for (let i = 0; i < blocks; i++) {
    await writer.write(numberedBlock(first + i))
    await between?.(i)
  }
  return writer.close()
}

/** @param between called after the first chunk */
export async function md5Of(store: UnderStore, path: string, between?: () => unknown): Promise<string> {
  const hash = createHash('md5')
  let first = true
  for await (const chunk of store.open(path, { offset: 0, length: 2 ** 40 })) {
    hash.update(chunk)
    if (first) await between?.()
    first = false
  }
  return hash.digest('hex')
}

export function md5OfBlocks(blocks: number, first = 0): string {
  const hash = createHash('md5')
  for (let i = 0; i < blocks; i++) hash.update(numberedBlock(first + i))
  return hash.digest('hex')
}
