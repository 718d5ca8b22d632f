/** What one answer may tell. */
import { AlluxioError, blockCount } from '../../../../core/index.ts'
import type { Question } from '../../../../scheduler/index.ts'

const MAX_BLOCKS = 200_000

/** Blocks of one request. */
export class BlockCount {
  readonly #counts: boolean
  #blocks = 0

  constructor(told: boolean | undefined) {
    this.#counts = told !== false
  }

  add({ parts }: Question): void {
    if (!this.#counts) return
    for (let i = 0; i < parts.length; i++)
      this.#blocks += blockCount(parts[i]!.length, parts[i]!.file.blockSizeBytes)
    if (this.#blocks > MAX_BLOCKS) throw tooMuch(`more than ${MAX_BLOCKS} blocks`, `${MAX_BLOCKS} blocks`)
  }
}

export function tooMuch(asked: string, most: string): AlluxioError {
  return new AlluxioError(
    'RESOURCE_EXHAUSTED',
    `the answer would be ${asked}, at most ${most} fit: ask for fewer paths or for ranges, or for hosts only ("blocks": false)`,
    { reason: 'ANSWER_TOO_LARGE' },
  )
}
