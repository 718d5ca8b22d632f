/** Help texts, by oclif's help class over the shipped manifest. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Config } from '@oclif/core/config'
import { Help } from '@oclif/core/help'
import { unknownCommand } from './nearest.ts'
import { findCommand } from './registry.ts'

/** The help of a command or topic, or of everything for no words. */
export async function help(words: readonly string[], home: string): Promise<string> {
  const config = await Config.load({ root: home })
  const lines: string[] = []
  class Captured extends Help {
    protected override log(...text: string[]): void {
      lines.push(text.join(' '))
    }
  }
  const names = words.filter((word) => !word.startsWith('-'))
  const found = findCommand(names)
  if (names.length > 0 && found === undefined) throw unknownCommand(names)
  await new Captured(config, { stripAnsi: true, hideAliasesFromRoot: true }).showHelp(
    found === undefined ? [] : found.id.split(':'),
  )
  return `${lines.join('\n')}\n`
}

/** The manifest as it is written by the build. */
export async function manifest(home: string): Promise<unknown> {
  const config = await Config.load({ root: home, ignoreManifest: true })
  const plugin = config.plugins.get(config.pjson.name)
  return (plugin as unknown as { readonly manifest?: unknown } | undefined)?.manifest
}

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
