/** Operations on access lists and extended attributes. */
import type { FileSystem } from '../../client/index.ts'
import { type AclChange, AlluxioError } from '../../core/index.ts'
import type { Operation } from './operation.ts'
import { invalid } from './request.ts'

/** A change of a path's lists. @param spec whether entries are given */
export function aclChange(action: AclChange['action'], spec: boolean): Operation {
  return async ({ fs, asked }) => {
    const entries = spec ? aclEntries(asked.required('aclspec'), action === 'REMOVE') : []
    await fs.setAttribute(asked.path, { acl: { action, entries } })
    return ''
  }
}

/** Entries to remove may come with an empty or a full permission, which says nothing. */
function aclEntries(spec: string, removes: boolean): string[] {
  const entries = spec
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (!removes) return entries
  return entries.map((entry) => {
    const parts = entry.split(':')
    return parts.slice(0, parts[0] === 'default' ? 3 : 2).join(':')
  })
}

/** What users may name. `system`, `security` and what gateways keep for themselves is neither shown nor changed. */
const SHOWN = /^(user|trusted)\../i
const MAX_NAME_LENGTH = 255

type Encoding = 'text' | 'hex' | 'base64'

export const getXAttrs: Operation = async ({ fs, asked }) => {
  const encoding = (asked.get('encoding') ?? 'text').toLowerCase()
  if (encoding !== 'text' && encoding !== 'hex' && encoding !== 'base64')
    throw invalid('encoding', encoding, 'it must be text, hex or base64')
  const names = asked.all('xattr.name').map(checkName)
  const known = await shownXAttrs(fs, asked.path)
  const absent = names.find((name) => !known.has(name))
  if (absent !== undefined) {
    throw new AlluxioError('CONFLICT', `At least one of the attributes provided was not found: ${absent}`, {
      reason: 'XATTR_NOT_FOUND',
    })
  }
  const wanted = names.length === 0 ? [...known.keys()] : names
  return JSON.stringify({
    XAttrs: wanted.map((name) => ({ name, value: encode(known.get(name)!, encoding) })),
  })
}

export const listXAttrs: Operation = async ({ fs, asked }) => {
  const names = [...(await shownXAttrs(fs, asked.path)).keys()]
  return JSON.stringify({ XAttrNames: JSON.stringify(names) })
}

export const setXAttr: Operation = async ({ fs, asked }) => {
  const name = checkName(asked.required('xattr.name'))
  const flags = (asked.get('flag') ?? '')
    .toUpperCase()
    .split(',')
    .filter((flag) => flag !== '')
  const unknown = flags.find((flag) => flag !== 'CREATE' && flag !== 'REPLACE')
  if (unknown !== undefined) throw invalid('flag', unknown, 'it must be CREATE or REPLACE')
  const value = decode(asked.get('xattr.value') ?? '')
  if (flags.length === 1) {
    const isThere = (await shownXAttrs(fs, asked.path)).has(name)
    if (isThere && flags[0] === 'CREATE')
      throw new AlluxioError(
        'CONFLICT',
        `XAttr ${name} of ${asked.path} exists already: the REPLACE flag is not given`,
      )
    if (!isThere && flags[0] === 'REPLACE')
      throw new AlluxioError(
        'CONFLICT',
        `XAttr ${name} of ${asked.path} does not exist: the CREATE flag is not given`,
      )
  }
  await fs.setAttribute(asked.path, { xattr: { [name]: value } })
  return ''
}

export const removeXAttr: Operation = async ({ fs, asked }) => {
  const name = checkName(asked.required('xattr.name'))
  if (!(await shownXAttrs(fs, asked.path)).has(name))
    throw new AlluxioError('CONFLICT', `No matching attributes found for remove operation: ${name}`)
  await fs.setAttribute(asked.path, { xattr: { [name]: null } })
  return ''
}

async function shownXAttrs(fs: FileSystem, path: string): Promise<Map<string, Uint8Array>> {
  const { xattr } = await fs.getStatus(path)
  return new Map(Object.entries(xattr).filter(([name]) => SHOWN.test(name)))
}

/** The part before the dot knows no case. */
function checkName(name: string): string {
  const dot = name.indexOf('.')
  if (!SHOWN.test(name) || name.length > MAX_NAME_LENGTH) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `An XAttr name must be prefixed with user or trusted, followed by a '.', and have at most ${MAX_NAME_LENGTH} characters: ${name.slice(0, 80)}`,
    )
  }
  return name.slice(0, dot).toLowerCase() + name.slice(dot)
}

/** `"text"`, `0x` and hex digits, or `0s` and base64. */
function encode(value: Uint8Array, encoding: Encoding): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (encoding === 'hex') return `0x${bytes.toString('hex')}`
  return encoding === 'base64' ? `0s${bytes.toString('base64')}` : `"${bytes.toString()}"`
}

function decode(text: string): Buffer {
  if (/^0x/i.test(text)) {
    if (text.length % 2 === 1 || !/^0x[0-9a-f]*$/i.test(text))
      throw invalid('xattr.value', text.slice(0, 80), 'it is no hexadecimal')
    return Buffer.from(text.slice(2), 'hex')
  }
  if (/^0s/i.test(text)) return Buffer.from(text.slice(2), 'base64')
  return Buffer.from(
    text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text,
  )
}
