/**
 * Configuration by path: what clients take in place of their own (`alluxio.user.…`), and the contract on how old what is
 * shown of an under-store may be. For each key the longest path that sets it wins; a mount speaks for its own path.
 */
import { declaredOptions } from '../core/config/index.ts'
import {
  AlluxioError,
  CONSISTENCY_KEY,
  type Consistency,
  consistencyOfInterval,
  type PathProperties,
  parentPath,
  parseConsistency,
  SYNC_INTERVAL_KEY,
} from '../core/index.ts'
import '../core/options/index.ts'
import type { RecordStore } from '../metastore/store.ts'
import { type Engine, invalid } from './engine.ts'
import type { MountTable } from './mount-table.ts'
import type { Caller } from './types.ts'

type Properties = Readonly<Record<string, string>>
type Entries = ReadonlyMap<string, Properties>

const PATH_CONF = Buffer.from('path-conf')
/** The whole is one record, which every client fetches. */
const MAX_BYTES = 2 ** 20
const MAX_VALUE_LENGTH = 4096

export class PathConf {
  readonly #mounts: MountTable
  #entries: Entries
  /** Contracts by path; undefined: none, whatever is said above. */
  #contracts = new Map<string, Consistency | undefined>()
  #mountsVersion = -1
  /** Grows with every change. */
  version = 1

  constructor(store: RecordStore, mounts: MountTable) {
    const value = store.get('meta', PATH_CONF)
    const rows: [string, Properties][] = value === undefined ? [] : JSON.parse(value.toString())
    this.#entries = new Map(rows)
    this.#mounts = mounts
  }

  get entries(): Entries {
    return this.#entries
  }

  replace(entries: Entries): void {
    this.#entries = entries
    this.#mountsVersion = -1
    this.version++
  }

  list(): PathProperties[] {
    return [...this.#entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, properties]) => ({ path, properties }))
  }

  /** The contract of a path; undefined where nobody asked for one. */
  contractOf(path: string): Consistency | undefined {
    if (this.#mountsVersion !== this.#mounts.version) this.#rebuild()
    const contracts = this.#contracts
    if (contracts.size === 0) return undefined
    for (let at = path; ; at = parentPath(at)) {
      if (contracts.has(at)) return contracts.get(at)
      if (at === '/') return undefined
    }
  }

  #rebuild(): void {
    this.#mountsVersion = this.#mounts.version
    this.#contracts = new Map()
    for (const { path, options } of this.#mounts.all()) {
      const text = options[CONSISTENCY_KEY]
      if (text !== undefined) this.#contracts.set(path, parseConsistency(text))
    }
    for (const [path, properties] of this.#entries) {
      const contract = properties[CONSISTENCY_KEY]
      const interval = properties[SYNC_INTERVAL_KEY]
      if (contract !== undefined) this.#contracts.set(path, parseConsistency(contract))
      else if (interval !== undefined) this.#contracts.set(path, consistencyOfInterval(interval))
    }
  }
}

/** @throws INVALID_ARGUMENT for keys and values that no client can apply, PERMISSION_DENIED */
export function setPathConf(
  engine: Engine,
  request: { readonly path: string; readonly set: Properties; readonly remove: readonly string[] },
  caller: Caller,
): number {
  const { path, set, remove } = request
  engine.access.administer(caller, `configure ${path}`)
  for (const [key, value] of Object.entries(set)) checkProperty(key, value)
  const { pathConf, tree } = engine
  const before = pathConf.entries.get(path) ?? {}
  const after: Record<string, string> = Object.assign(Object.create(null), before, set)
  for (const key of remove) delete after[key]
  const entries = new Map(pathConf.entries)
  if (Object.keys(after).length === 0) entries.delete(path)
  else entries.set(path, { ...after })
  const value = Buffer.from(JSON.stringify([...entries]))
  if (value.length > MAX_BYTES) {
    throw new AlluxioError(
      'RESOURCE_EXHAUSTED',
      `the configuration of paths would be ${value.length} bytes long: at most ${MAX_BYTES}, remove some first`,
    )
  }
  tree.put('meta', PATH_CONF, value)
  pathConf.replace(entries)
  return pathConf.version
}

function checkProperty(key: string, value: string): void {
  if (value.length > MAX_VALUE_LENGTH)
    throw invalid(`${key}: a value has at most ${MAX_VALUE_LENGTH} characters`)
  if (key === CONSISTENCY_KEY) {
    parseConsistency(value)
    return
  }
  const option = declaredOptions().get(key)
  if (option?.scope !== 'user')
    throw invalid(`${key} cannot be set for a path: only keys of clients (alluxio.user.…) can`)
  option.parse(value)
}
