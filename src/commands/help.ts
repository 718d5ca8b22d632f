/** Help texts, by oclif's help class over the shipped manifest. */
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
