/** The shipped manifest: what is known of the commands without loading them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the manifest says of a command. */
export interface CommandFacts {
  readonly id: string
  readonly summary?: string
  readonly description?: string
  readonly usage?: string | readonly string[]
  readonly examples?: readonly string[]
  readonly args: Readonly<
    Record<
      string,
      { name: string; description?: string; required?: boolean; multiple?: boolean; options?: string[] }
    >
  >
  readonly flags: Readonly<
    Record<
      string,
      {
        name: string
        char?: string
        summary?: string
        description?: string
        type: string
        options?: string[]
        default?: unknown
        helpValue?: string
      }
    >
  >
}

export function shippedManifest(home: string): { commands: Record<string, CommandFacts> } {
  const file = join(home, 'oclif.manifest.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { commands: {} }
}
