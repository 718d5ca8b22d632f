/**
 * What is about to be changed in an under-store and the namespace together, written down before the store is touched. The change
 * of the namespace takes its intent away in the same batch, so whatever is found at start was cut off in between.
 *
 * A record is JSON: what a longer job notes down beside it (how far it came) needs no other layout.
 */
import type { FileId, MountId } from '../core/index.ts'
import type { Engine } from './engine.ts'
import { EVERYTHING, idKey, readId } from './keys.ts'
import type { Caller, CompleteRequest, CreateOutcome, MkdirRequest } from './types.ts'

export type IntentId = number & { readonly __intent: true }

interface About {
  /** Names the command, hexadecimal: its outcome is recorded with the change of the namespace. */
  readonly command?: string
}

/** All paths are canonical paths of the namespace. */
export type Change =
  | (About & {
      readonly op: 'rename'
      readonly src: string
      readonly dst: string
      readonly directory: boolean
      /** Of a file, bytes and version. */
      readonly length: number
      readonly fingerprint: string
    })
  | (About & {
      readonly op: 'delete'
      readonly path: string
      readonly directory: boolean
      readonly recursive: boolean
    })
  | (About & { readonly op: 'mkdir'; readonly request: Fields<MkdirRequest>; readonly caller: Caller })
  /** The object of a file that goes from its path, replaced by another, or with `length` if it has this one: it was not booked. */
  | (About & { readonly op: 'drop'; readonly path: string; readonly length?: number })
  /** An object of this version goes: its file has gone before it. */
  | (About & { readonly op: 'discard'; readonly path: string; readonly fingerprint: string })
  /** The object of a file that moved while it was written goes where the file is. */
  | (About & {
      readonly op: 'follow'
      readonly written: string
      readonly fileId: FileId
      readonly fingerprint: string
      /** A through write: the file is complete when its object is there. Else it is only persisted. */
      readonly completes?: { readonly request: Fields<CompleteRequest>; readonly caller: Caller }
    })

/** A request without what names its command. */
type Fields<R> = Omit<R, 'commandId' | 'settles'>

export type Intent = Change & {
  readonly id: IntentId
  /** Wall clock, ms. */
  readonly startedMs: number
  readonly mountId: MountId
}

export interface IntentsModules {
  readonly engine: Engine
  /** Runs a change of the namespace to its durable end. */
  readonly change: <T>(name: string, plan: () => T) => Promise<T>
}

export class Intents {
  readonly #modules: IntentsModules
  readonly #open = new Map<IntentId, Intent>()
  #next = 1

  constructor(modules: IntentsModules) {
    this.#modules = modules
    for (const { key, value } of modules.engine.tree.store.range('intent', EVERYTHING)) {
      const id = readId(key, 0) as IntentId
      this.#open.set(id, { ...JSON.parse(value.toString()), id })
      this.#next = id + 1
    }
  }

  /** What was begun and is not settled, oldest first. */
  all(): readonly Intent[] {
    return [...this.#open.values()]
  }

  /** Writes down what is going to be changed. Resolves when that is durable. */
  begin(change: Change): Promise<Intent> {
    return this.#modules.change('intend', () => this.#put(change))
  }

  /** Takes an intent back that asks nothing of the namespace any more. */
  settle(id: IntentId): Promise<void> {
    return this.#modules.change('settle', () => this.end(id))
  }

  /** Stages the end of an intent with the change that carries it out. */
  end(id: IntentId | undefined): void {
    if (id !== undefined && this.#open.delete(id)) this.#modules.engine.tree.remove('intent', idKey(id))
  }

  /** Stages the end of the object whose file was overwritten, with the change that did it. */
  withDrop(outcome: CreateOutcome): CreateOutcome {
    if (outcome.replaced?.record.persistence !== 'PERSISTED') return outcome
    return { ...outcome, drop: this.#put({ op: 'drop', path: outcome.inode.path }) }
  }

  #put(change: Change): Intent {
    const { tree, mounts, runtime } = this.#modules.engine
    const id = this.#next++ as IntentId
    const { mountId } = mounts.of(pathOf(change))
    const intent = { ...change, startedMs: runtime.now(), mountId }
    tree.put('intent', idKey(id), Buffer.from(JSON.stringify(intent)))
    this.#open.set(id, { ...intent, id })
    return { ...intent, id }
  }
}

/** The path whose mount's store is changed. */
export function pathOf(change: Change): string {
  switch (change.op) {
    case 'rename':
      return change.src
    case 'mkdir':
      return change.request.path
    case 'follow':
      return change.written
    default:
      return change.path
  }
}
