/** Reads Hadoop's configuration files (core-site.xml, hdfs-site.xml). */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
/** Values may name others as `${key}`; a ring of them must end. */
const MOST_SUBSTITUTIONS = 20

export type Site = ReadonlyMap<string, string>

/** Properties of one or more files; a later file wins. */
export function parseSite(texts: readonly string[]): Site {
  const raw = new Map<string, string>()
  for (const text of texts) {
    for (const [, body] of text
      .replace(/<!--[\s\S]*?-->/g, '')
      .matchAll(/<property>([\s\S]*?)<\/property>/g)) {
      const name = element(body!, 'name')
      const value = element(body!, 'value')
      if (name !== undefined && value !== undefined) raw.set(name, value)
    }
  }
  return new Map([...raw].map(([name, value]) => [name, substituted(value, raw)]))
}

function element(body: string, name: string): string | undefined {
  const match = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(body)
  return match === null ? undefined : unescaped(match[1]!).trim()
}

function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    return ENTITIES[name] ?? whole
  })
}

function substituted(value: string, raw: ReadonlyMap<string, string>): string {
  let text = value
  for (let i = 0; i < MOST_SUBSTITUTIONS; i++) {
    const next = text.replace(/\$\{([^${}]+)\}/g, (whole, key) => raw.get(key) ?? whole)
    if (next === text) break
    text = next
  }
  return text
}
