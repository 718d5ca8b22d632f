/** The closing table of the quickstart. */
import { formatBytes } from '../../core/index.ts'
import { columns } from '../format.ts'
import { sourceWords, type TimedRead } from './tour.ts'

export function readsTable(reads: readonly TimedRead[]): string[] {
  const rows = reads.map(({ path, temperature, bytes, sources, seconds, speedup }) => [
    path,
    temperature,
    formatBytes(bytes),
    sourceWords(sources),
    seconds.toFixed(4),
    `${formatBytes(Math.round(bytes / Math.max(seconds, 1e-6)))}/s`,
    speedup === undefined ? '' : `${speedup.toFixed(1)} x`,
  ])
  return columns([['File', 'Read', 'Bytes', 'Source', 'Seconds', 'Rate', 'Speed-up'], ...rows], [2, 4, 5, 6])
}
