/**
 * What is about to be changed in an under-store and the namespace together, written down before the store is touched. The change
 * of the namespace takes its intent away in the same batch, so whatever is found at start was cut off in between.
 *
 * A record is JSON: what a longer job notes down beside it (how far it came) needs no other layout.
 */
import { type FileId, isWithin, type MountId } from '../core/index.ts'
import type { Engine } from './engine.ts'
import { EVERYTHING, idKey, readId } from './keys.ts'
import type { Caller, CompleteRequest, CreateOutcome, CreateRequest, Inode, MkdirRequest } from './types.ts'

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
      /** Of a file that takes the place of another one: the name that one has until it goes, and its version. */
      readonly over?: { readonly aside: string; readonly fingerprint: string }
      /** Of a directory that moves object by object: how many have, if it has begun, and whether they are on their way back. */
      readonly moved?: number
      readonly back?: boolean
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
  /**
   * Bytes of the file are on their way to the path, put there by a worker, until they are booked. `length`, bytes, of a file that
   * is complete and persisted; the writer of another may yet tell.
   */
  | (About & {
      readonly op: 'upload'
      readonly path: string
      readonly fileId: FileId
      readonly length?: number
      /** Where the object may be instead, since a directory above it moved in the store. */
      readonly also?: readonly string[]
    })
  /** An object of this version goes, wherever it may be: its file has gone before it. */
  | (About & {
      readonly op: 'discard'
      readonly path: string
      readonly fingerprint: string
      readonly also?: readonly string[]
    })
  /** The object of a file that moved while it was written goes where the file is. */
  | (About & {
      readonly op: 'follow'
      readonly written: string
      readonly fileId: FileId
      readonly fingerprint: string
      readonly also?: readonly string[]
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

type Upload = Extract<Intent, { op: 'upload' }>

export interface IntentsModules {
  readonly engine: Engine
  /** Runs a change of the namespace to its durable end. */
  readonly change: <T>(name: string, plan: () => T) => Promise<T>
}

export class Intents {
  readonly #modules: IntentsModules
  readonly #open = new Map<IntentId, Intent>()
  /** The youngest of each file. */
  readonly #uploads = new Map<FileId, Upload>()
  #next = 1

  constructor(modules: IntentsModules) {
    this.#modules = modules
    for (const { key, value } of modules.engine.tree.store.range('intent', EVERYTHING)) {
      const id = readId(key, 0) as IntentId
      this.#add({ ...JSON.parse(value.toString(), revived), id })
      this.#next = id + 1
    }
  }

  /** What was begun and is not settled, oldest first. */
  all(): readonly Intent[] {
    return [...this.#open.values()]
  }

  /** As it is noted down now; undefined when it is settled. */
  get(id: IntentId): Intent | undefined {
    return this.#open.get(id)
  }

  /** The upload of a file that is not booked, if one was begun. */
  uploadOf(file: FileId): Upload | undefined {
    return this.#uploads.get(file)
  }

  /** Writes down what is going to be changed, in place of `instead`. Resolves when that is durable. */
  begin(change: Change, instead?: IntentId): Promise<Intent> {
    return this.#modules.change('intend', () => {
      this.end(instead)
      return this.#put(change)
    })
  }

  /** Writes down how far a longer change has come, or what else it has to look at. */
  note(id: IntentId, more: { moved?: number; back?: boolean; also?: readonly string[] }): Promise<void> {
    return this.#modules.change('intend', () => {
      const known = this.#open.get(id)
      if (known === undefined) return
      const noted = { ...known, ...more } as Intent
      const { id: _, ...about } = noted
      this.#modules.engine.tree.put('intent', idKey(id), Buffer.from(JSON.stringify(about)))
      this.#add(noted)
    })
  }

  /** Uploads whose object may be below a directory. */
  uploadsBelow(path: string): Upload[] {
    const found: Upload[] = []
    for (const intent of this.#open.values())
      if (intent.op === 'upload' && placesOf(intent).some((place) => isWithin(place, path)))
        found.push(intent)
    return found
  }

  /** Takes an intent back that asks nothing of the namespace any more. */
  settle(id: IntentId): Promise<void> {
    return this.#modules.change('settle', () => this.end(id))
  }

  /** Stages the end of an intent with the change that carries it out. */
  end(id: IntentId | undefined): void {
    const intent = id === undefined ? undefined : this.#open.get(id)
    if (intent === undefined) return
    this.#open.delete(intent.id)
    if (intent.op === 'upload' && this.#uploads.get(intent.fileId) === intent)
      this.#uploads.delete(intent.fileId)
    this.#modules.engine.tree.remove('intent', idKey(intent.id))
  }

  /** Stages the end of a file's upload with the change that books it. */
  arrived<T>(file: FileId, outcome: T): T {
    this.end(this.#uploads.get(file)?.id)
    return outcome
  }

  /** Stages with a create the end of the object whose file it has overwritten, and the upload of its own. */
  created(outcome: CreateOutcome, request: CreateRequest): CreateOutcome {
    const { path, record } = outcome.inode
    const { writeType, complete } = request
    if (complete !== true && (writeType === 'CACHE_THROUGH' || writeType === 'THROUGH'))
      this.#put({ op: 'upload', path, fileId: record.id })
    return this.replaced(outcome)
  }

  /** Stages the end of the object whose file was replaced. */
  replaced(outcome: CreateOutcome): CreateOutcome {
    const drop = this.dropped(outcome.inode.path, outcome.replaced)
    return drop === undefined ? outcome : { ...outcome, drop }
  }

  /** Stages the end of the object of a file that had the path until now. */
  dropped(path: string, replaced: Inode | undefined): Intent | undefined {
    return replaced?.record.persistence === 'PERSISTED' ? this.#put({ op: 'drop', path }) : undefined
  }

  #put(change: Change): Intent {
    const { tree, mounts, runtime } = this.#modules.engine
    const id = this.#next++ as IntentId
    const { mountId } = mounts.of(pathOf(change))
    const about = { ...change, startedMs: runtime.now(), mountId }
    tree.put('intent', idKey(id), Buffer.from(JSON.stringify(about)))
    const intent = { ...about, id }
    this.#add(intent)
    return intent
  }

  #add(intent: Intent): void {
    this.#open.set(intent.id, intent)
    if (intent.op !== 'upload') return
    const known = this.#uploads.get(intent.fileId)
    if (known === undefined || known.id <= intent.id) this.#uploads.set(intent.fileId, intent)
  }
}

/** Attributes are bytes: a Buffer goes into JSON as its type and data. */
function revived(_: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { readonly type?: unknown; readonly data?: unknown }
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data) : value
}

/** Where the object of an intent may be: the path that it was written to first. */
export function placesOf(intent: {
  readonly path: string
  readonly also?: readonly string[]
}): readonly string[] {
  return [intent.path, ...(intent.also ?? [])]
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
