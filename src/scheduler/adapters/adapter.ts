/** What turns hints into the form that one scheduler reads. Pure: an adapter asks nobody. */
import { AlluxioError } from '../../core/index.ts'
import type { HostHint, PathHint } from '../types.ts'

/** What an engine has to tell besides, such as Spark's executors; each adapter documents what it reads. */
export type EngineFacts = Readonly<Record<string, unknown>>

export interface HintAdapter {
  readonly name: string
  /** One line for help and docs. */
  readonly summary: string
  /** JSON for the engine or its plug-in. @throws INVALID_ARGUMENT for facts that cannot be used */
  adapt(hints: readonly PathHint[], facts: EngineFacts): unknown
  /** The same as words for a shell or a file; absent: the JSON. */
  text?(hints: readonly PathHint[], facts: EngineFacts): string
}

/** Of what is cached those that hold something of it, best first; else its stable place, if a worker lives there. */
export function placesOf({ hosts, cold }: PathHint): HostHint[] {
  return hosts.filter(({ bytes, confidence }, i) =>
    cold ? i === 0 && confidence > 0 : bytes.MEM + bytes.SSD + bytes.HDD > 0,
  )
}

/** Their names, at most `count`. */
export function bestHosts(hint: PathHint, count: number): string[] {
  return placesOf(hint)
    .slice(0, count)
    .map(({ host }) => host)
}

/** The places of several paths together, by the bytes that their scores stand for. */
export function sharedHosts(hints: readonly PathHint[]): { host: string; weight: number }[] {
  const weights = new Map<string, number>()
  for (const hint of hints) {
    const best = hint.hosts[0]?.score ?? 0
    for (const { host, score } of placesOf(hint)) {
      const part = best > 0 ? score / best : 0
      weights.set(host, (weights.get(host) ?? 0) + part * Math.max(1, hint.length))
    }
  }
  const most = Math.max(0, ...weights.values())
  return [...weights]
    .map(([host, weight]) => ({ host, weight: most > 0 ? weight / most : 0 }))
    .sort((a, b) => b.weight - a.weight || (a.host < b.host ? -1 : 1))
}

/** A fact that is a number within bounds, or what stands for it when it is absent. @throws INVALID_ARGUMENT */
export function numberFact(facts: EngineFacts, name: string, otherwise: number): number {
  const value = facts[name] ?? otherwise
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw new AlluxioError('INVALID_ARGUMENT', `engine.${name} is no number of 0 or more`, {
    reason: 'ENGINE_FACT',
  })
}

/** A fact that is a list of objects whose named properties are strings. @throws INVALID_ARGUMENT */
export function recordsFact<K extends string>(
  facts: EngineFacts,
  name: string,
  keys: readonly K[],
): Record<K, string>[] {
  const value = facts[name] ?? []
  const fits = (item: unknown): item is Record<K, string> =>
    typeof item === 'object' &&
    item !== null &&
    keys.every((key) => typeof (item as Record<string, unknown>)[key] === 'string')
  if (Array.isArray(value) && value.every(fits)) return value
  throw new AlluxioError(
    'INVALID_ARGUMENT',
    `engine.${name} is no list of {${keys.join(', ')}}, each a string`,
    {
      reason: 'ENGINE_FACT',
    },
  )
}
