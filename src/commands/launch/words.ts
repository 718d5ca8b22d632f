/** What start, stop and status share. */
import type { Config } from '../../core/config/index.ts'
import { environment } from '../../core/config/index.ts'
import { systemRuntime } from '../../core/index.ts'
import { DAEMONS, type DaemonName, type LaunchModules } from '../../daemon/launch/index.ts'
import { Args } from '../command.ts'

export const TARGET = {
  daemon: Args.string({
    description: 'which daemon; local is a master, a worker and a proxy on this machine',
    options: ['master', 'worker', 'proxy', 'local'],
    default: 'local',
    ignoreStdin: true,
  }),
}

/** The daemons that a word names, in the order in which they start. */
export function daemonsOf(word: string): readonly DaemonName[] {
  if (word === 'local') return DAEMONS
  return [word as DaemonName]
}

export function launchModules(): LaunchModules {
  return {
    runtime: systemRuntime,
    command: [process.execPath, process.argv[1] ?? ''],
    env: environment(),
  }
}

/** `-D` words that make a command speak to the same cluster, to be repeated in hints. */
export function propertyWords(config: Config): string {
  return config
    .explicitProperties()
    .map((property) => ` -D${property}`)
    .join('')
}
