/**
 * The file system as one client alone would see it: what each operation may answer in each state. Written from the
 * promises of the interface (src/client/types.ts), not from the engine's code.
 */

import type { Ask, Operation, Seen, Told } from '../workload/history.ts'
import { STORE_ROOT } from '../workload/roots.ts'
import type { Step } from './linearizable.ts'

/** 'dir', or the tag of a file, negative while it is being written. */
type Node = 'dir' | number
export type Namespace = ReadonlyMap<string, Node>

export function namespaceKey(state: Namespace): string {
  return [...state]
    .map(([path, node]) => `${path}=${node}`)
    .sort()
    .join(';')
}

/** The operations of a history as steps of the model; reads with an unknown outcome say nothing and are left out. */
export function namespaceSteps(
  operations: readonly Operation[],
  lengths: ReadonlyMap<number, number>,
): NamespaceStep[] {
  return operations
    .filter((operation) => !operation.void)
    .filter((operation) => !isPure(operation.ask) || operation.returnedAt !== Number.POSITIVE_INFINITY)
    .map((operation) => new NamespaceStep(operation, lengths))
}

function isPure(ask: Ask): boolean {
  return ask.kind === 'stat' || ask.kind === 'list' || ask.kind === 'read' || ask.kind === 'touch'
}

export class NamespaceStep implements Step<Namespace> {
  readonly operation: Operation
  readonly calledAt: number
  readonly returnedAt: number
  readonly pure: boolean
  readonly #lengths: ReadonlyMap<number, number>

  constructor(operation: Operation, lengths: ReadonlyMap<number, number>) {
    this.operation = operation
    this.calledAt = operation.calledAt
    this.returnedAt = operation.returnedAt
    this.pure = isPure(operation.ask) || (operation.told?.kind === 'error' && this.returnedAt !== Infinity)
    this.#lengths = lengths
  }

  apply(state: Namespace): Namespace | undefined {
    const { ask, told } = this.operation
    const certain = this.returnedAt !== Infinity
    if (certain && told?.kind === 'error') return mayRefuse(state, ask, told.code) ? state : undefined
    switch (ask.kind) {
      case 'create':
        return create(state, ask)
      case 'complete':
        return replaceNode(state, -ask.tag, ask.tag) ?? (certain ? undefined : appear(state, ask))
      case 'abandon':
      case 'expire':
        return replaceNode(state, -ask.tag, undefined) ?? replaceNode(state, ask.tag, undefined)
      case 'mkdir':
        return state.has(ask.path) ? undefined : withParents(state, ask.path, 'dir')
      case 'delete':
        return remove(state, ask)
      case 'rename':
        return rename(state, ask)
      case 'touch':
        return state.has(ask.path) ? state : undefined
      default:
        return this.#answers(state, ask.path, told) ? state : undefined
    }
  }

  #answers(state: Namespace, path: string, told: Told | undefined): boolean {
    if (told === undefined) return true
    const node = state.get(path)
    if (node === undefined) return false
    if (told.kind === 'seen') return this.#matches(node, told.entry)
    if (told.kind === 'bytes' || told.kind === 'broken')
      return node !== 'dir' && node > 0 && this.#lengths.get(node) === told.fileLength
    if (told.kind !== 'listed' || node !== 'dir') return false
    const prefix = `${path}/`
    let count = 0
    for (const [child, childNode] of state) {
      if (!child.startsWith(prefix) || child.includes('/', prefix.length)) continue
      const seen = told.entries.get(child.slice(prefix.length))
      if (seen === undefined || !this.#matches(childNode, seen)) return false
      count++
    }
    return count === told.entries.size
  }

  #matches(node: Node, seen: Seen): boolean {
    if (node === 'dir') return seen.folder
    if (seen.folder) return false
    // The length of a file that is being written is nobody's promise.
    if (node < 0) return !seen.completed
    return seen.completed && this.#lengths.get(node) === seen.length
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** The nearest ancestor that exists is a directory (partition roots always are). */
function parentUsable(state: Namespace, path: string): boolean {
  for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
    const node = state.get(at)
    if (node !== undefined) return node === 'dir'
  }
  return true
}

function withParents(state: Namespace, path: string, node: Node): Namespace | undefined {
  if (!parentUsable(state, path)) return undefined
  const next = new Map(state)
  for (let at = parentOf(path); at !== '' && !next.has(at); at = parentOf(at)) next.set(at, 'dir')
  return next.set(path, node)
}

function create(state: Namespace, ask: Extract<Ask, { kind: 'create' }>): Namespace | undefined {
  const old = state.get(ask.path)
  if (old !== undefined && !(ask.overwrite && old !== 'dir')) return undefined
  return withParents(state, ask.path, -ask.tag)
}

/** A write of unknown outcome may have left its object in the under-store, where it is found later. */
function appear(state: Namespace, ask: Extract<Ask, { kind: 'complete' }>): Namespace | undefined {
  return state.has(ask.path) ? undefined : withParents(state, ask.path, ask.tag)
}

/** The state with the one node that equals `from` replaced or removed; undefined if there is none. */
function replaceNode(state: Namespace, from: Node, to: Node | undefined): Namespace | undefined {
  for (const [path, node] of state) {
    if (node !== from) continue
    const next = new Map(state)
    if (to === undefined) next.delete(path)
    else next.set(path, to)
    return next
  }
  return undefined
}

function below(state: Namespace, path: string): string[] {
  const prefix = `${path}/`
  return [...state.keys()].filter((other) => other.startsWith(prefix))
}

function remove(state: Namespace, ask: Extract<Ask, { kind: 'delete' }>): Namespace | undefined {
  if (!state.has(ask.path)) return undefined
  const children = below(state, ask.path)
  if (children.length > 0 && !ask.recursive) return undefined
  const next = new Map(state)
  next.delete(ask.path)
  for (const child of children) next.delete(child)
  return next
}

function rename(state: Namespace, ask: Extract<Ask, { kind: 'rename' }>): Namespace | undefined {
  const node = state.get(ask.path)
  if (node === undefined || state.has(ask.to) || ask.to.startsWith(`${ask.path}/`)) return undefined
  if (state.get(parentOf(ask.to)) !== 'dir') return undefined
  const next = new Map(state)
  for (const path of [ask.path, ...below(state, ask.path)]) {
    next.set(ask.to + path.slice(ask.path.length), state.get(path)!)
    next.delete(path)
  }
  return next
}

/** Whether an error that promises "nothing was done" could be the answer in this state. */
function mayRefuse(state: Namespace, ask: Ask, code: string): boolean {
  // A conflict has many causes (being written, pinned, not persisted); that nothing was done shows in what follows.
  if (code === 'CONFLICT') return true
  const node = state.get(ask.path)
  switch (ask.kind) {
    case 'stat':
    case 'list':
    case 'touch':
      return node === undefined || (ask.kind === 'touch' && code !== 'NOT_FOUND')
    case 'read':
      return node === undefined || (code === 'NOT_FOUND' ? false : node === 'dir' || node < 0)
    case 'create':
      return code === 'ALREADY_EXISTS' || code === 'IS_A_DIRECTORY'
        ? node !== undefined && !(ask.overwrite && node !== 'dir' && node > 0)
        : !parentUsable(state, ask.path)
    case 'mkdir':
      return code === 'ALREADY_EXISTS'
        ? node !== undefined
        : node !== undefined || !parentUsable(state, ask.path)
    case 'complete':
      return node !== -ask.tag
    case 'delete':
      return code === 'DIRECTORY_NOT_EMPTY'
        ? node === 'dir' && !ask.recursive && below(state, ask.path).length > 0
        : node === undefined
    case 'rename':
      if (code === 'NOT_FOUND') return node === undefined || state.get(parentOf(ask.to)) === undefined
      // What a failed write left in the under-store may stand in the way of a move for a while, seen by nobody.
      if (code === 'ALREADY_EXISTS') return state.has(ask.to) || ask.to.startsWith(`${STORE_ROOT}/`)
      return ask.to === ask.path || ask.to.startsWith(`${ask.path}/`) || state.get(parentOf(ask.to)) !== 'dir'
    default:
      return true
  }
}
