/** Eviction orders by name; a name that is none of ours is a module that exports one. */
import { AlluxioError } from '../../core/index.ts'
import { greedy, maxFree, roundRobin } from '../allocation.ts'
import type { AllocationPolicy, EvictionOptions, EvictionPolicy } from '../types.ts'
import { Lrfu } from './lrfu.ts'
import { Lru } from './lru.ts'
import { S3Fifo } from './s3fifo.ts'

const EVICTION: Readonly<Record<string, (options: EvictionOptions) => EvictionPolicy>> = {
  lru: () => new Lru(),
  lrfu: ({ lrfu }) => new Lrfu(lrfu.step, lrfu.attenuation),
  s3fifo: ({ capacityBytes }) => new S3Fifo(capacityBytes),
}
const ALLOCATION: Readonly<Record<string, () => AllocationPolicy>> = {
  maxfree: maxFree,
  roundrobin: roundRobin,
  greedy,
}

/** Upstream's class names end in the same words: `alluxio.worker.block.annotator.LRUAnnotator`. */
function plainName(name: string): string {
  return name
    .slice(name.lastIndexOf('.') + 1)
    .replace(/(Annotator|Allocator)$/, '')
    .replace(/[-_]/g, '')
    .toLowerCase()
}

/** @throws INVALID_ARGUMENT when the name is neither known nor a module that exports a policy */
export async function evictionByName(name: string): Promise<(options: EvictionOptions) => EvictionPolicy> {
  return EVICTION[plainName(name)] ?? (await imported(name, Object.keys(EVICTION)))
}

/** @throws INVALID_ARGUMENT when the name is neither known nor a module that exports a policy */
export async function allocationByName(name: string): Promise<() => AllocationPolicy> {
  return ALLOCATION[plainName(name)] ?? (await imported(name, Object.keys(ALLOCATION)))
}

async function imported<T>(name: string, known: readonly string[]): Promise<T> {
  let made: unknown
  try {
    made = ((await import(name)) as { default?: unknown }).default
  } catch (cause) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `policy "${name}" is none of ${known.join(', ')}, and no module of that name can be loaded`,
      { cause },
    )
  }
  if (typeof made !== 'function') {
    throw new AlluxioError('INVALID_ARGUMENT', `module "${name}" exports no policy as its default`)
  }
  return made as T
}
