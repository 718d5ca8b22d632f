/** XML as S3 speaks it: written by hand, read strictly and within bounds, without a DTD or entities of its own. */
import { SaxesParser } from 'saxes'
import { S3Error } from './errors.ts'

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'
const MAX_DEPTH = 8
const MAX_ELEMENTS = 100_000

export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** Text for between tags. What XML 1.0 cannot say at all becomes a question mark: who needs it asks for url encoding. */
export function escapeXml(text: string): string {
  if (!/[&<>"\u0000-\u001f\ufffe\uffff]/.test(text)) return text
  return text.replace(/[&<>"\u0000-\u001f\ufffe\uffff]/g, (c) => {
    const known = ESCAPES[c]
    if (known !== undefined) return known
    return c === '\t' || c === '\n' || c === '\r' ? `&#${c.charCodeAt(0)};` : '?'
  })
}

export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${typeof text === 'string' ? escapeXml(text) : String(text)}</${name}>`
}

export function document(name: string, inner: string): string {
  return `${XML_HEAD}<${name} xmlns="${NAMESPACE}">${inner}</${name}>`
}

export interface XmlElement {
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

/** The root element. @throws MalformedXML */
export function parseXml(text: string, root: string): XmlElement {
  const malformed = (): never => {
    throw new S3Error('MalformedXML')
  }
  const parser = new SaxesParser({ xmlns: false })
  const open: XmlElement[] = []
  let found: XmlElement | undefined
  let elements = 0
  parser.on('error', malformed)
  parser.on('doctype', malformed)
  parser.on('opentag', ({ name }) => {
    if (open.length >= MAX_DEPTH || ++elements > MAX_ELEMENTS) malformed()
    const made: XmlElement = { name: name.slice(name.indexOf(':') + 1), text: '', children: [] }
    open.at(-1)?.children.push(made)
    found ??= made
    open.push(made)
  })
  const onText = (part: string) => {
    const at = open.at(-1)
    if (at !== undefined) at.text += part
  }
  parser.on('text', onText)
  parser.on('cdata', onText)
  parser.on('closetag', () => {
    open.pop()
  })
  parser.write(text).close()
  if (found === undefined || found.name !== root) return malformed()
  return found
}

export function childrenOf(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((child) => child.name === name)
}

export function textOf(parent: XmlElement, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text
}
