/** Other names of hosts: engines match locations by exact string, and each has its own idea of what a host is called. */
import { AlluxioError } from '../core/index.ts'

/** Host by lower-case alias. */
export type HostAliases = ReadonlyMap<string, string>

const NAME = /^[^\s=,#]{1,255}$/

/**
 * Reads lines of `host=alias,alias`; `#` begins a comment.
 * @throws INVALID_ARGUMENT, reason ALIAS_SYNTAX; reason ALIAS_COLLISION when two hosts claim one name
 */
export function parseHostAliases(text: string, source: string): HostAliases {
  const aliases = new Map<string, string>()
  const lines = new Map<string, number>()
  const claim = (name: string, host: string, line: number) => {
    const known = aliases.get(name.toLowerCase())
    if (known !== undefined && known.toLowerCase() !== host.toLowerCase()) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${source}, line ${line}: ${name} is a name of ${host}, but line ${lines.get(name.toLowerCase())} says that it is one of ${known}: a name can mean one host only`,
        { reason: 'ALIAS_COLLISION', details: { name, hosts: [known, host] } },
      )
    }
    aliases.set(name.toLowerCase(), host)
    lines.set(name.toLowerCase(), line)
  }
  for (const [i, raw] of text.split('\n').entries()) {
    const content = raw.split('#', 1)[0]!.trim()
    if (content === '') continue
    const [host = '', names = '', ...rest] = content.split('=').map((part) => part.trim())
    const listed = names.split(',').map((name) => name.trim())
    if (rest.length > 0 || ![host, ...listed].every((name) => NAME.test(name))) {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${source}, line ${i + 1}: "${content.slice(0, 100)}" is not host=alias,alias`,
        { reason: 'ALIAS_SYNTAX' },
      )
    }
    for (const name of [host, ...listed]) claim(name, host, i + 1)
  }
  return aliases
}
