/** Parsing and printing of byte sizes and durations, in upstream's notation (`64MB`, `1d`). Base 1024. */
import { AlluxioError } from './errors.ts'

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tb: 2 ** 40,
  tib: 2 ** 40,
  p: 2 ** 50,
  pb: 2 ** 50,
  pib: 2 ** 50,
}
const TIME_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  msec: 1,
  millisecond: 1,
  s: 1e3,
  sec: 1e3,
  second: 1e3,
  m: 6e4,
  min: 6e4,
  minute: 6e4,
  h: 3.6e6,
  hr: 3.6e6,
  hour: 3.6e6,
  d: 8.64e7,
  day: 8.64e7,
}

function parse(text: string, units: Readonly<Record<string, number>>, what: string, example: string): number {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(text)
  const unit = match === null ? undefined : units[match[2]!.toLowerCase().replace(/(?<=[a-z]{3})s$/, '')]
  if (match === null || unit === undefined) {
    throw new AlluxioError('INVALID_ARGUMENT', `"${text}" is not a ${what}: write for example ${example}`)
  }
  return Math.round(Number(match[1]) * unit)
}

/** Bytes from `512`, `64MB`, `1.5GB`, base 1024. @throws INVALID_ARGUMENT */
export function parseBytes(text: string): number {
  return parse(text, BYTE_UNITS, 'byte size', '64MB')
}

/** Milliseconds from `500`, `10s`, `5min`, `1d`. @throws INVALID_ARGUMENT */
export function parseDuration(text: string): number {
  return parse(text, TIME_UNITS, 'duration', '10s or 1d')
}

/** Upstream's form: `10.67GB`, `512B`; two decimals above bytes. Takes bigint for cluster totals. */
export function formatBytes(bytes: number | bigint): string {
  const value = Number(bytes)
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB']
  const sign = value < 0 ? '-' : ''
  let size = Math.abs(value)
  let i = 0
  while (size >= 1024 && i < units.length - 1) {
    size /= 1024
    i++
  }
  return i === 0 ? `${sign}${size}B` : `${sign}${size.toFixed(2)}${units[i]}`
}

/** Upstream's uptime form: `0 day(s), 0 hour(s), 0 minute(s), and 26 second(s)`. */
export function formatUptime(ms: number): string {
  const s = Math.floor(ms / 1000)
  return `${Math.floor(s / 86400)} day(s), ${Math.floor(s / 3600) % 24} hour(s), ${Math.floor(s / 60) % 60} minute(s), and ${s % 60} second(s)`
}
