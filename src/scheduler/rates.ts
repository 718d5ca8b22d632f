/** What reading costs: bytes a second of each tier, across the network, and from an under-store. */
import { AlluxioError, parseBytes } from '../core/index.ts'

export interface Rates {
  /** By class: MEM, SSD, HDD. */
  readonly tiers: readonly [number, number, number]
  /** From another host. */
  readonly remote: number
  /** From an under-store. */
  readonly store: number
}

const NAMES = ['MEM', 'SSD', 'HDD', 'REMOTE', 'STORE'] as const
/** Open streams that double the time of a read. */
const STREAMS = 8

/** Reads `MEM=10GB,…`. @throws INVALID_ARGUMENT for other names, or when one is missing */
export function parseRates(parts: readonly string[], option: string): Rates {
  const rates = new Map<string, number>()
  for (const part of parts) {
    const [name = '', text = ''] = part.split('=').map((word) => word.trim())
    if (!NAMES.includes(name as never))
      throw wrong(option, `"${part}" is none of ${NAMES.join(', ')} with a rate`)
    const rate = parseBytes(text)
    if (!(rate > 0)) throw wrong(option, `the rate of ${name} is not above 0`)
    rates.set(name, rate)
  }
  const of = (name: (typeof NAMES)[number]): number => {
    const rate = rates.get(name)
    if (rate === undefined) throw wrong(option, `the rate of ${name} is missing`)
    return rate
  }
  return { tiers: [of('MEM'), of('SSD'), of('HDD')], remote: of('REMOTE'), store: of('STORE') }
}

/** How much longer a read takes on a host with so many open streams. */
export function slowdown(load: number): number {
  return 1 + load / STREAMS
}

function wrong(option: string, why: string): AlluxioError {
  return new AlluxioError(
    'INVALID_ARGUMENT',
    `${option}: ${why}; write MEM=10GB,SSD=2GB,HDD=200MB,REMOTE=1GB,STORE=100MB`,
  )
}
