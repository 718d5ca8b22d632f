/** Text forms that several commands share. */
import { formatBytes } from '../core/index.ts'

const two = (n: number): string => String(n).padStart(2, '0')

/** Upstream's default date pattern, `MM-dd-yyyy HH:mm:ss:SSS`, in local time. */
export function formatDate(ms: number): string {
  const at = new Date(ms)
  return (
    `${two(at.getMonth() + 1)}-${two(at.getDate())}-${at.getFullYear()} ` +
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}:${String(at.getMilliseconds()).padStart(3, '0')}`
  )
}

/** `drwxr-xr-x`; with `t` for the sticky bit. */
export function formatMode(mode: number, folder: boolean): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'))
  if (mode & 0o1000) letters[8] = letters[8] === 'x' ? 't' : 'T'
  return `${folder ? 'd' : '-'}${letters.join('')}`
}

export function sizeText(bytes: number, human: boolean): string {
  return human ? formatBytes(bytes) : String(bytes)
}

/** Whole percent of a part, rounded down; 100 of nothing. */
export function percent(part: number, whole: number): number {
  return whole <= 0 ? 100 : Math.floor((part / whole) * 100)
}

/** Rows as columns that are as wide as their widest cell; numbers (columns in `right`) to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}
