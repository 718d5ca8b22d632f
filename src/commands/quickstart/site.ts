/** The settings file of the quickstart's cluster, so that later commands need no `-D` words to find it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
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

/** Writes `conf/alluxio-site.properties` below the data folder if it has none; its path if it was written now. */
export function writeSite(config: Config): string | undefined {
  const folder = join(resolve(config.get(DATA)), 'conf')
  const file = join(folder, 'alluxio-site.properties')
  if (existsSync(file)) return undefined
  const given = config.explicitProperties().filter((property) => !property.startsWith('alluxio.data='))
  const text = [
    '# Written by alluxio quickstart. Yours to edit; see docs/reference/configuration.md. Daemons read it when they start.',
    ...(config.isSet(TIER_LEVELS) ? [] : [TIERS.trimEnd()]),
    ...(given.length === 0 ? [] : ['# Given with -D when it was written:', ...given]),
  ]
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, `${text.join('\n')}\n`)
  } catch (error) {
    throw fromErrno(error, 'write', file)
  }
  return file
}
