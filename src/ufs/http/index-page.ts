/** Reads what web servers show of a directory: HTML of nginx, Apache, Python and others, JSON of nginx and Caddy. */

export interface IndexEntry {
  readonly name: string
  readonly directory: boolean
}

/** Entries of an index in HTML at `base`; undefined when the title is none of `titles`: it is some other page. */
export function htmlIndex(html: string, base: URL, titles: readonly string[]): IndexEntry[] | undefined {
  const title = unescaped(/<title[^>]*>([^<]*)<\/title>/i.exec(html)?.[1] ?? '').trim()
  const heading = unescaped(
    (/<h1[^>]*>([\s\S]*?)<\/h1>/i.exec(html)?.[1] ?? '').replace(/<[^>]*>/g, ''),
  ).trim()
  const shown = [title.toLowerCase(), heading.toLowerCase()]
  if (!titles.some((known) => shown.some((text) => text.startsWith(known.toLowerCase())))) return undefined
  const entries = new Map<string, IndexEntry>()
  for (const match of html.matchAll(/<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/gi)) {
    const entry = linked(unescaped(match[1] ?? match[2] ?? match[3] ?? ''), base)
    if (entry !== undefined) entries.set(entry.name, entry)
  }
  return [...entries.values()]
}

/** The child that a link names; undefined for parents, sorts (`?C=N;O=D`), other places and names that no path can hold. */
function linked(href: string, base: URL): IndexEntry | undefined {
  const url = URL.parse(href, base.href)
  if (url === null || url.origin !== base.origin || url.search !== '' || href.startsWith('#'))
    return undefined
  if (!url.pathname.startsWith(base.pathname)) return undefined
  const rest = url.pathname.slice(base.pathname.length)
  const directory = rest.endsWith('/')
  const name = decoded(directory ? rest.slice(0, -1) : rest)
  return name === undefined || rest.slice(0, -1).includes('/') || !isName(name)
    ? undefined
    : { name, directory }
}

/** Entries of an index in JSON; undefined when it is something else. */
export function jsonIndex(text: string): IndexEntry[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) return undefined
  const entries = new Map<string, IndexEntry>()
  for (const one of value as readonly unknown[]) {
    const { name, type, is_dir: isDirectory } = (one ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || (typeof type !== 'string' && typeof isDirectory !== 'boolean')) {
      return undefined
    }
    const directory = type === 'directory' || isDirectory === true
    const plain = name.endsWith('/') ? name.slice(0, -1) : name
    if (isName(plain)) entries.set(plain, { name: plain, directory })
  }
  return [...entries.values()]
}

/** Percent-decoded once; undefined when it is no UTF-8. */
export function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0')
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
}

/** HTML and XML character references resolved, once. */
export function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,6}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[(name as string).toLowerCase()] ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex as string, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
