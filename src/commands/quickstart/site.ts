/** The settings file of the quickstart's cluster, so that later commands need no `-D` words to find it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { fromErrno } from '../../core/index.ts'
import { DATA, TIER_LEVELS } from '../../core/options/index.ts'

const TIERS = `# Three tiers: memory (tmpfs), then folders that stand for an SSD and a disk.
alluxio.worker.tieredstore.levels=3
alluxio.worker.tieredstore.level1.alias=SSD
alluxio.worker.tieredstore.level1.dirs.quota=4GB
alluxio.worker.tieredstore.level2.alias=HDD
alluxio.worker.tieredstore.level2.dirs.quota=16GB
`

const MARK = '# Written by alluxio quickstart.'

/**
 * Writes `conf/alluxio-site.properties` below the data folder, with what was given by `-D`; one that the quickstart wrote
 * before takes over such keys, one of the user's own is left alone.
 * @returns its path if it was written now
 */
export function writeSite(config: Config): string | undefined {
  const folder = join(resolve(config.get(DATA)), 'conf')
  const file = join(folder, 'alluxio-site.properties')
  const given = config.explicitProperties().filter((property) => !property.startsWith('alluxio.data='))
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined
  const text = before === undefined ? fresh(config, given) : merged(before, given)
  if (text === before) return undefined
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, text)
  } catch (error) {
    throw fromErrno(error, 'write', file)
  }
  return file
}

function fresh(config: Config, given: readonly string[]): string {
  const lines = [
    `${MARK} Yours to edit; see docs/reference/configuration.md. Daemons read it when they start.`,
    ...(config.isSet(TIER_LEVELS) ? [] : [TIERS.trimEnd()]),
    ...(given.length === 0 ? [] : ['# Given with -D:', ...given]),
  ]
  return `${lines.join('\n')}\n`
}

/** Exported for its test. */
export function merged(before: string, given: readonly string[]): string {
  if (!before.startsWith(MARK)) return before
  const keyOf = (line: string): string => line.slice(0, line.indexOf('='))
  const lines = before.trimEnd().split('\n')
  for (const property of given) {
    const at = lines.findIndex((line) => !line.startsWith('#') && keyOf(line) === keyOf(property))
    if (at === -1) lines.push(property)
    else lines[at] = property
  }
  return `${lines.join('\n')}\n`
}
