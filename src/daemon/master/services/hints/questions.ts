/** Paths to what the engine is asked: permissions are checked here, and files are found in the namespace or its under-store. */
import { AlluxioError, canonicalPath, FLAG_COMPLETED } from '../../../../core/index.ts'
import type { Caller, Inode, Namespace, Settled } from '../../../../namespace/index.ts'
import type { HintRange, Infer } from '../../../../rpc/index.ts'
import type { HintedFile, Question, Split } from '../../../../scheduler/index.ts'
import type { FsReads } from '../fs-reads.ts'

export interface QuestionsModules {
  readonly namespace: Namespace
  readonly reads: FsReads
}

type Range = Infer<typeof HintRange>

const READ_AND_SEARCH = 5
/** Files that one request may mean. */
const MAX_FILES = 200_000
const PAGE = 1000

export class Questions {
  readonly #modules: QuestionsModules

  constructor(modules: QuestionsModules) {
    this.#modules = modules
  }

  /** One question a path, then one a range. @throws as `at` */
  async of(paths: readonly string[], ranges: readonly Range[], caller: Caller): Promise<Question[]> {
    const questions: Question[] = []
    for (let i = 0; i < paths.length + ranges.length; i++) {
      const question = this.at(i, paths, ranges, caller)
      questions.push(question instanceof Promise ? await question : question)
    }
    return questions
  }

  /**
   * Question number `i` of them. What is in memory is answered without a promise.
   * @throws NOT_FOUND; PERMISSION_DENIED for what the caller may not read; OUT_OF_RANGE; RESOURCE_EXHAUSTED for too many files
   */
  at(i: number, paths: readonly string[], ranges: readonly Range[], caller: Caller): Settled<Question> {
    return i < paths.length ? this.#whole(paths[i]!, caller) : this.#part(ranges[i - paths.length]!, caller)
  }

  #whole(given: string, caller: Caller): Settled<Question> {
    const path = canonicalPath(given)
    const inode = this.#modules.reads.readable(path, caller)
    return inode instanceof Promise
      ? inode.then((found) => this.#wholeOf(path, found, caller))
      : this.#wholeOf(path, inode, caller)
  }

  #wholeOf(path: string, inode: Inode, caller: Caller): Settled<Question> {
    if (inode.record.directory) return this.#below(path, caller)
    const file = hintedFile(inode)
    return { path, length: file.length, parts: [{ file, offset: 0, length: file.length }] }
  }

  #part({ path: given, offset = 0, length }: Range, caller: Caller): Settled<Question> {
    const path = canonicalPath(given)
    const inode = this.#modules.reads.readable(path, caller)
    return inode instanceof Promise
      ? inode.then((found) => partOf(path, found, offset, length))
      : partOf(path, inode, offset, length)
  }

  /** All complete files below a directory, as far as the namespace knows them; its own children are looked up if need be. */
  async #below(path: string, caller: Caller): Promise<Question> {
    const { namespace, reads } = this.#modules
    await reads.childrenOnce(path, caller)
    const parts: Split[] = []
    let total = 0
    let cursor: string | undefined
    do {
      const page = namespace.walk(path, { limit: PAGE, cursor })
      for (const inode of page.inodes) {
        const { record } = inode
        if (record.directory) {
          await namespace.checkAccess(inode.path, READ_AND_SEARCH, caller)
          continue
        }
        if ((record.flags & FLAG_COMPLETED) === 0 || record.length === 0) continue
        await namespace.open(inode.path, caller)
        if (parts.length >= MAX_FILES) throw tooMany(path)
        total += record.length
        parts.push({ file: hintedFile(inode), offset: 0, length: record.length })
      }
      cursor = page.cursor
    } while (cursor !== undefined)
    return { path, length: total, parts }
  }
}

export function hintedFile({ path, record }: Inode): HintedFile {
  const { id: fileId, length, blockSizeBytes } = record
  return { path, fileId, length, blockSizeBytes }
}

function partOf(path: string, inode: Inode, offset: number, asked: number | undefined): Question {
  if (inode.record.directory)
    throw new AlluxioError('IS_A_DIRECTORY', `${path} is a directory: ranges are of files`, {
      details: { path },
    })
  const file = hintedFile(inode)
  if (offset > file.length) {
    throw new AlluxioError('OUT_OF_RANGE', `${path} has ${file.length} bytes, none at ${offset}`, {
      details: { path, length: file.length },
    })
  }
  const length = Math.min(asked ?? file.length - offset, file.length - offset)
  return { path, length: file.length, parts: [{ file, offset, length }] }
}

function tooMany(path: string): AlluxioError {
  return new AlluxioError(
    'RESOURCE_EXHAUSTED',
    `more than ${MAX_FILES} files are below ${path}: ask for smaller directories`,
    { reason: 'TOO_MANY_FILES', details: { path } },
  )
}
