/** What is mounted where, and the configuration of paths. The rules of mounting stand in `mounting.ts`. */
import type { Consistency, MountId, PathProperties } from '../core/index.ts'
import type { Engine } from './engine.ts'
import { mount, setUfsMode, unmount, updateMount } from './mounting.ts'
import { setPathConf } from './path-conf.ts'
import type { Caller, Mount, MountRequest, UfsMode } from './types.ts'

export interface MountsModules {
  readonly engine: Engine
  /** Runs a change of the namespace to its durable end. */
  readonly change: <T>(name: string, plan: () => T) => Promise<T>
  /** As `change`, at most once for a command; `again` makes the answer to a repeat from the number that `outcomeOf` gave. */
  readonly mutate: <T>(
    name: string,
    request: { readonly commandId?: Uint8Array },
    plan: () => T,
    outcomeOf: (outcome: T) => number,
    again: (outcome: number) => T,
  ) => Promise<T>
}

export class Mounts {
  readonly #modules: MountsModules

  constructor(modules: MountsModules) {
    this.#modules = modules
  }

  all(): readonly Mount[] {
    return this.#modules.engine.mounts.all()
  }

  byId(id: MountId): Mount | undefined {
    return this.#modules.engine.mounts.byId(id)
  }

  /** Grows with every change of the mount table. */
  get version(): number {
    return this.#modules.engine.mounts.version
  }

  add(request: MountRequest, caller: Caller): Promise<{ mountId: MountId }> {
    const { engine, mutate } = this.#modules
    return mutate(
      'mount',
      request,
      () => mount(engine, request, caller),
      (outcome) => outcome.mountId,
      (id) => ({ mountId: id as MountId }),
    )
  }

  update(request: Omit<MountRequest, 'uri'>, caller: Caller): Promise<Mount> {
    const { engine, change } = this.#modules
    return change('mount', () => updateMount(engine, request, caller))
  }

  /** Resolves with the mount that was; of a repeat only its id and path are known. */
  remove(
    request: { readonly path: string; readonly commandId?: Uint8Array },
    caller: Caller,
  ): Promise<Mount> {
    const { engine, mutate } = this.#modules
    const { path } = request
    const unknown = { uri: '', readOnly: false, shared: false, options: {} }
    return mutate<Mount>(
      'unmount',
      request,
      () => unmount(engine, path, caller),
      (mounted) => mounted.mountId,
      (id) => ({ mountId: id as MountId, path, ...unknown }),
    )
  }

  /** Resolves with the paths of the mounts that are affected. @throws NOT_FOUND, PERMISSION_DENIED */
  setMode(uri: string, mode: UfsMode, caller: Caller): Promise<readonly string[]> {
    const { engine, change } = this.#modules
    return change('ufs_mode', () => setUfsMode(engine, uri, mode, caller))
  }

  /** How old what is shown of the path's under-store may be; undefined where nothing was asked for. */
  contractOf(path: string): Consistency | undefined {
    return this.#modules.engine.pathConf.contractOf(path)
  }

  /** The configuration of paths, by path. */
  pathConf(): { readonly entries: readonly PathProperties[]; readonly version: number } {
    const { pathConf } = this.#modules.engine
    return { entries: pathConf.list(), version: pathConf.version }
  }

  /** Sets and removes properties of a path. @throws INVALID_ARGUMENT, PERMISSION_DENIED */
  setPathConf(
    request: {
      readonly path: string
      readonly set: Readonly<Record<string, string>>
      readonly remove: readonly string[]
    },
    caller: Caller,
  ): Promise<number> {
    const { engine, change } = this.#modules
    return change('path_conf', () => setPathConf(engine, request, caller))
  }
}
