/** What a pod asks for, by annotations: its inputs, how much it needs to be near them, and whether it waits for them. */
import { AlluxioError, canonicalPath, isAlluxioError, parseDuration } from '../../core/index.ts'
import type { Pod } from './objects.ts'

/** Paths with commas between, or a list in JSON. */
export const INPUTS = 'alluxio.org/inputs'
/** `required`: only nodes that hold some of the inputs, if any does. */
export const LOCALITY = 'alluxio.org/locality'
/** `true`, or how long at most: the pod is not scheduled before its inputs are cached. */
export const HOLD = 'alluxio.org/hold'
/** Name of the scheduling gate. */
export const WARM_GATE = 'alluxio.org/warm'
/** Label of pods that are held, by which they are found. */
export const HELD = 'alluxio.org/held'
/** How the holding ended. */
export const WARMED = 'alluxio.org/warmed'

const MAX_INPUTS = 100
const MAX_CHARS = 64 * 1024

/** None for a pod that names none. @throws INVALID_ARGUMENT, reason INPUTS, for what is no list of paths */
export function inputsOf({ metadata }: Pod): string[] {
  const text = metadata.annotations?.[INPUTS]?.trim() ?? ''
  if (text === '') return []
  if (text.length > MAX_CHARS) throw wrong('is too long')
  const listed: unknown = text.startsWith('[') ? parsed(text) : text.split(',').map((part) => part.trim())
  if (!Array.isArray(listed) || !listed.every((path) => typeof path === 'string')) throw wrong('is no list')
  const paths = listed.filter((path) => path !== '')
  if (paths.length > MAX_INPUTS) throw wrong(`names more than ${MAX_INPUTS} paths`)
  try {
    return [...new Set(paths.map((path) => canonicalPath(path.replace(/^alluxio:\/\/[^/]*/, ''))))]
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    throw wrong(error.message)
  }
}

export function needsLocality({ metadata }: Pod): boolean {
  return metadata.annotations?.[LOCALITY] === 'required'
}

/** How long the pod may be held, ms; undefined if it is not to be. @throws INVALID_ARGUMENT, reason INPUTS */
export function holdMs({ metadata }: Pod, maxMs: number): number | undefined {
  const text = metadata.annotations?.[HOLD]?.trim() ?? 'false'
  if (text === 'false' || text === '') return undefined
  if (text === 'true') return maxMs
  try {
    return Math.min(maxMs, parseDuration(text))
  } catch {
    throw new AlluxioError('INVALID_ARGUMENT', `annotation ${HOLD} is neither true, false nor a duration`, {
      reason: 'INPUTS',
    })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong('is no JSON')
  }
}

function wrong(why: string): AlluxioError {
  return new AlluxioError('INVALID_ARGUMENT', `annotation ${INPUTS} ${why}`, { reason: 'INPUTS' })
}
