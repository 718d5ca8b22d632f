/** Sizes of upload parts: at most 10,000 of them, 5 MiB to 5 GiB each, and an object of 5 TiB has to fit. */
import { AlluxioError } from '../../core/index.ts'

const MIB = 2 ** 20
export const MOST_PARTS = 10_000
export const LARGEST_OBJECT_BYTES = 5 * 2 ** 40
/** Largest object that one CopyObject takes. */
export const LARGEST_COPY_BYTES = 5 * 2 ** 30
const LARGEST_PART_BYTES = 5 * 2 ** 30

/**
 * Size of part `number` (from 1) when the length is not known: small at first, so that ordinary files need little memory, and
 * large enough at last that the whole passes 5 TiB.
 */
function growingPartBytes(number: number, leastBytes: number): number {
  const step = number <= 1000 ? 16 : number <= 2000 ? 64 : number <= 3000 ? 256 : 768
  return Math.max(leastBytes, step * MIB)
}

/** Parts beyond a length hint after which their size doubles: a hint may be wrong by 2 TiB. */
const DOUBLING_PARTS = 80

/** Size in bytes of part `number`. With a length hint all parts up to it are of one size, as copies between stores like them. */
export function partBytes(number: number, leastBytes: number, lengthHint: number | undefined): number {
  if (lengthHint === undefined) return Math.min(LARGEST_PART_BYTES, growingPartBytes(number, leastBytes))
  const planned = Math.max(leastBytes, Math.ceil(lengthHint / (MOST_PARTS - 1000) / MIB) * MIB)
  const beyond = number - 1 - Math.ceil(lengthHint / planned)
  const doublings = beyond <= 0 ? 0 : Math.floor(beyond / DOUBLING_PARTS)
  return Math.min(LARGEST_PART_BYTES, planned * 2 ** Math.min(doublings, 20))
}

/** @throws INVALID_ARGUMENT when one more part would pass a limit of the protocol */
export function checkPart(number: number, endBytes: number, path: string): void {
  if (number <= MOST_PARTS && endBytes <= LARGEST_OBJECT_BYTES) return
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `create ${path}: S3 takes at most ${MOST_PARTS} parts and 5 TiB; give the length in advance or split the file`,
    { reason: 'TOO_LARGE' },
  )
}

export interface CopyRange {
  readonly number: number
  readonly first: number
  readonly last: number
}

/** Ranges for a copy in parts of at least `leastBytes`. */
export function copyRanges(length: number, leastBytes = 512 * MIB): CopyRange[] {
  const size = Math.max(leastBytes, Math.ceil(length / MOST_PARTS / MIB) * MIB)
  const ranges: CopyRange[] = []
  for (let first = 0; first < length; first += size) {
    ranges.push({ number: ranges.length + 1, first, last: Math.min(length, first + size) - 1 })
  }
  return ranges
}
