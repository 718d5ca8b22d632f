/** All command classes at once: what oclif reads to write the manifest. The command line itself never loads this. */
import { COMMANDS as LOADERS } from './registry.ts'

export const COMMANDS = Object.fromEntries(
  await Promise.all(Object.entries(LOADERS).map(async ([id, load]) => [id, await load()] as const)),
)
export { manifest } from './help.ts'
