/** Hints that are asked for with little time and that one can do without: the reason stands in their place. */
import type { Hints, PathHint } from '../client/index.ts'
import { AlluxioError, type ErrorCode, isAlluxioError, type Runtime, toAlluxioError } from '../core/index.ts'

export interface HintSourceOptions {
  /** Longest that an answer may take, ms. */
  readonly timeoutMs: number
}

export interface HintSourceModules {
  readonly hints: Pick<Hints, 'rank'>
  readonly runtime: Runtime
}

export type Hinted =
  | { readonly hints: readonly PathHint[]; readonly missing?: undefined }
  /** Why there are none. */
  | { readonly hints?: undefined; readonly missing: string }

/** What the one who asks has to put right; everything else passes. */
const THEIRS: readonly ErrorCode[] = ['NOT_FOUND', 'PERMISSION_DENIED', 'INVALID_ARGUMENT']

export class HintSource {
  readonly #options: HintSourceOptions
  readonly #m: HintSourceModules

  constructor(options: HintSourceOptions, modules: HintSourceModules) {
    this.#options = options
    this.#m = modules
  }

  /**
   * Ranked hosts without blocks, one answer a path.
   * @param candidates hosts as the orchestrator calls them; none: whoever holds something
   * @param areAll whether there are no other hosts; else the best of all hosts stands in front of them where it is better
   * @throws NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT for a path
   */
  async rank(paths: readonly string[], candidates: readonly string[] = [], areAll = true): Promise<Hinted> {
    try {
      return { hints: await this.#inTime(this.#ask(paths, candidates, areAll)) }
    } catch (thrown) {
      const { code, message } = toAlluxioError(thrown)
      if (THEIRS.includes(code)) throw thrown
      return { missing: `no hints: ${message}` }
    }
  }

  async #ask(
    paths: readonly string[],
    candidates: readonly string[],
    areAll: boolean,
  ): Promise<readonly PathHint[]> {
    const { hints } = this.#m
    if (candidates.length > 0) {
      try {
        const ranked = await hints.rank(paths, { candidates, blocks: false })
        if (areAll) return ranked
        const best = await hints.rank(paths, { top: 1, blocks: false })
        return ranked.map((hint, i) => behindBest(hint, best[i]!))
      } catch (error) {
        // Two hosts of one name: by the names that workers give themselves there are hints all the same.
        if (!isAlluxioError(error) || error.reason !== 'ALIAS_COLLISION') throw error
      }
    }
    return await hints.rank(paths, { top: 1000, blocks: false })
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new AlluxioError('TIMEOUT', `the master did not answer within ${timeoutMs} ms`))
      const cancel = this.#m.runtime.after(timeoutMs, late)
      work.then(resolve, reject).finally(cancel)
    })
  }
}

function behindBest(hint: PathHint, { hosts: [best] }: PathHint): PathHint {
  if (best === undefined || hint.cold || best.score <= (hint.hosts[0]?.score ?? 0)) return hint
  return { ...hint, hosts: [best, ...hint.hosts] }
}
