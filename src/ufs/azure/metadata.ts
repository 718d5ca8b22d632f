/** Metadata of blobs: names are identifiers of C#, so that other characters are written as `_` and their two hex digits. */

const HEADER = 'x-ms-meta-'

export function metadataHeaders(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(metadata)) headers[HEADER + written(name)] = value
  return headers
}

/** Metadata among the headers of an answer, but for the names in `hidden`. */
export function metadataOf(
  headers: Readonly<Record<string, string>>,
  hidden: readonly string[],
): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const name in headers) {
    if (!name.startsWith(HEADER)) continue
    const own = name.slice(HEADER.length)
    if (!hidden.includes(own)) metadata[read(own)] = headers[name]!
  }
  return metadata
}

function written(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]|^\d/g, (char) => `_${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function read(name: string): string {
  return name.replace(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
