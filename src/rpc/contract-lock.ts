/**
 * The lock of the contracts: what their messages look like, committed as `contract-lock.json`, so that a change which an
 * older peer would not understand is seen before it is released.
 *
 *   node src/rpc/contract-lock.ts            tells what has changed; fails on a breaking change or a stale lock
 *   node src/rpc/contract-lock.ts --write    writes the lock; fails on a breaking change without a new version
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Kind, OptionalKind, type TSchema } from '@sinclair/typebox'
import { AlluxioError } from '../core/index.ts'
import type { Contract, Method } from './contract.ts'
import {
  HintsContract,
  MasterAdmin,
  MasterBlock,
  MasterFs,
  MasterSync,
  WorkerBlock,
} from './contracts/index.ts'

/** Every contract that daemons serve. */
export const CONTRACTS: readonly Contract[] = [
  MasterFs,
  MasterAdmin,
  MasterBlock,
  MasterSync,
  WorkerBlock,
  HintsContract,
]

/** The wire form of a schema: a scalar's name, or one of the shapes. `name?` marks an optional property. */
export type WireType =
  | string
  | { readonly object: readonly (readonly [name: string, type: WireType])[] }
  | { readonly array: WireType }
  | { readonly record: WireType }
  | { readonly union: readonly WireType[] }

export interface MethodLock {
  readonly id: number
  readonly kind: Method['kind']
  readonly request: WireType
  readonly item?: WireType
  readonly response?: WireType
}
export interface ContractLock {
  readonly id: number
  readonly version: number
  readonly methods: Readonly<Record<string, MethodLock>>
}
export type Lock = Readonly<Record<string, ContractLock>>

export function lockOf(contracts: readonly Contract[]): Lock {
  return Object.fromEntries(
    contracts.map(({ name, id, version, methods }) => [
      name,
      {
        id,
        version,
        methods: Object.fromEntries(
          Object.entries(methods).map(([key, method]) => [key, lockMethod(method)]),
        ),
      },
    ]),
  )
}

function lockMethod(method: Method): MethodLock {
  return {
    id: method.id,
    kind: method.kind,
    request: wireType(method.request),
    ...(method.kind === 'unary' ? {} : { item: wireType(method.item) }),
    ...(method.kind === 'download' ? {} : { response: wireType(method.response) }),
  }
}

function wireType(schema: TSchema): WireType {
  switch (schema[Kind]) {
    case 'Object':
      return {
        object: Object.entries(schema.properties as Record<string, TSchema>).map(([name, type]) => [
          OptionalKind in type ? `${name}?` : name,
          wireType(type),
        ]),
      }
    case 'Array':
      return { array: wireType(schema.items) }
    case 'Record':
      return { record: wireType(Object.values(schema.patternProperties as Record<string, TSchema>)[0]!) }
    case 'Union':
      return { union: (schema.anyOf as TSchema[]).map(wireType) }
    case 'Literal':
      return JSON.stringify(schema.const)
    case 'Integer':
      return 'number'
    case 'Uint8Array':
      return 'bytes'
    default:
      return schema[Kind].toLowerCase()
  }
}

/** What peers of the locked contracts would not understand; a contract of a new version may change at will. */
export function breakingChanges(locked: Lock, present: Lock): string[] {
  const changes: string[] = []
  for (const [name, before] of Object.entries(locked)) {
    const after = present[name]
    if (after === undefined) changes.push(`${name} is gone`)
    else if (after.id !== before.id) changes.push(`${name}: its id was ${before.id}, now ${after.id}`)
    else if (after.version < before.version) changes.push(`${name}: its version fell to ${after.version}`)
    else if (after.version === before.version) compareMethods(name, before, after, changes)
  }
  return changes
}

function compareMethods(
  contract: string,
  before: ContractLock,
  after: ContractLock,
  changes: string[],
): void {
  for (const [key, old] of Object.entries(before.methods)) {
    const name = `${contract}.${key}`
    const now = after.methods[key]
    if (now === undefined) changes.push(`${name} is gone`)
    else if (now.id !== old.id) changes.push(`${name}: its id was ${old.id}, now ${now.id}`)
    else if (now.kind !== old.kind) changes.push(`${name}: it was ${old.kind}, now ${now.kind}`)
    else {
      for (const part of ['request', 'item', 'response'] as const) {
        if (old[part] !== undefined) compareTypes(`${name} ${part}`, old[part], now[part]!, changes)
      }
    }
  }
  const used = new Map<number, string>()
  for (const [key, { id }] of Object.entries(after.methods)) {
    const other = used.get(id)
    if (other !== undefined) changes.push(`${contract}: ${other} and ${key} share id ${id}`)
    used.set(id, key)
  }
}

function compareTypes(at: string, before: WireType, after: WireType, changes: string[]): void {
  if (typeof before === 'string' || typeof after === 'string') {
    if (before !== after) changes.push(`${at}: it was ${show(before)}, now ${show(after)}`)
  } else if ('object' in before && 'object' in after) compareObjects(at, before.object, after.object, changes)
  else if ('array' in before && 'array' in after) compareTypes(`${at}[]`, before.array, after.array, changes)
  else if ('record' in before && 'record' in after)
    compareTypes(`${at}{}`, before.record, after.record, changes)
  else if ('union' in before && 'union' in after) {
    const members = after.union.map(show)
    for (const member of before.union) {
      if (!members.includes(show(member))) changes.push(`${at}: ${show(member)} is no longer admitted`)
    }
  } else changes.push(`${at}: it was ${show(before)}, now ${show(after)}`)
}

type Fields = readonly (readonly [name: string, type: WireType])[]

function compareObjects(at: string, before: Fields, after: Fields, changes: string[]): void {
  for (const [i, [name, type]] of before.entries()) {
    const now = after[i]
    if (now === undefined || now[0] !== name) {
      changes.push(`${at}: property ${i} was ${name}, now ${now?.[0] ?? 'gone'}`)
      return
    }
    compareTypes(`${at}.${name}`, type, now[1], changes)
  }
  for (const [name] of after.slice(before.length)) {
    if (!name.endsWith('?')) changes.push(`${at}: the new property ${name} must be optional`)
  }
}

function show(type: WireType): string {
  return typeof type === 'string' ? type : JSON.stringify(type)
}

const LOCK_FILE = new URL('contract-lock.json', import.meta.url)

/** The committed lock. */
export function readLock(): Lock {
  return JSON.parse(readFileSync(LOCK_FILE, 'utf8')) as Lock
}

export function lockText(lock: Lock): string {
  const contracts = Object.entries(lock).map(([name, { id, version, methods }]) => {
    const lines = Object.entries(methods).map(
      ([key, method]) => `      ${JSON.stringify(key)}: ${JSON.stringify(method)}`,
    )
    return `  ${JSON.stringify(name)}: {\n    "id": ${id},\n    "version": ${version},\n    "methods": {\n${lines.join(',\n')}\n    }\n  }`
  })
  return `{\n${contracts.join(',\n')}\n}\n`
}

function main(args: readonly string[]): void {
  const write = args.includes('--write')
  const present = lockOf(CONTRACTS)
  const locked = lockedOrEmpty(write)
  const changes = breakingChanges(locked, present)
  if (changes.length > 0) {
    throw new AlluxioError(
      'CONFLICT',
      `older peers would not understand these contracts; undo the change or raise the contract's version:\n${changes.join('\n')}`,
    )
  }
  if (write) writeFileSync(fileURLToPath(LOCK_FILE), lockText(present))
  else if (lockText(locked) !== lockText(present)) {
    throw new AlluxioError(
      'CONFLICT',
      'contract-lock.json is stale: run node src/rpc/contract-lock.ts --write',
    )
  }
}

/** The very first lock is written from nothing. */
function lockedOrEmpty(write: boolean): Lock {
  try {
    return readLock()
  } catch (error) {
    if (write && (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
