/** Hints of the master's hint service: where the bytes of paths are, and what changes about it. */
import { canonicalPath, isAlluxioError, type Log, type Runtime, sleep } from '../core/index.ts'
import type { Client, HintsContract } from '../rpc/index.ts'
import type { HintOptions, Hints, Plan, ReplicaChanges } from './types.ts'

/** Pause before a broken stream of changes is opened again, ms. */
const REOPEN_MS = 200

export interface HintsModules {
  readonly master: Client<typeof HintsContract>
  readonly runtime: Runtime
  readonly log: Log
}

export function hintsOf({ master, runtime, log }: HintsModules): Hints {
  const asked = (paths: readonly string[], { ranges, candidates, top, blocks }: HintOptions = {}) => ({
    paths: paths.map(canonicalPath),
    ...(ranges === undefined
      ? {}
      : { ranges: ranges.map((range) => ({ ...range, path: canonicalPath(range.path) })) }),
    ...(candidates === undefined ? {} : { candidates: [...candidates] }),
    ...(top === undefined ? {} : { top }),
    ...(blocks === undefined ? {} : { blocks }),
  })
  return {
    locate: async (paths, options) => (await master.locate(asked(paths, options))).answers,
    rank: async (paths, options) => (await master.rank(asked(paths, options))).answers,
    assign: async ({ paths = [], splits = [], hosts, slack }) => {
      const request = {
        paths: paths.map(canonicalPath),
        splits: splits.map((split) => ({ ...split, path: canonicalPath(split.path) })),
        ...(hosts === undefined ? {} : { hosts: hosts.map((host) => ({ ...host })) }),
        ...(slack === undefined ? {} : { slack }),
      }
      const plan = { splits: [] as Plan['splits'][number][], local: 0, hosts: [] as Plan['hosts'] }
      for await (const { item } of master.assign(request)) {
        for (const split of item.splits) plan.splits.push(split)
        if (item.local !== undefined) plan.local = item.local
        if (item.hosts !== undefined) plan.hosts = item.hosts
      }
      return plan
    },
    async *subscribe(paths, options = {}) {
      const { signal } = options
      const request = { paths: paths.map(canonicalPath) }
      while (!signal?.aborted) {
        try {
          const call = signal === undefined ? undefined : { signal }
          for await (const { item } of master.subscribe(request, call)) yield item as ReplicaChanges
          return
        } catch (error) {
          if (signal?.aborted) return
          // The master is away or another one begins: the stream that follows says to look anew.
          if (!isAlluxioError(error, 'UNAVAILABLE') && !isAlluxioError(error, 'TIMEOUT')) throw error
          log.debug('stream of hints broke', { error })
          await sleep(runtime, REOPEN_MS)
        }
      }
    },
  }
}
