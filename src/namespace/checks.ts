/** Whether a change would be refused, and what it is about, before an under-store is touched for it. */
import { WRITE } from './access.ts'
import { checkCreate } from './create.ts'
import type { Engine } from './engine.ts'
import { checkMkdir } from './mkdir.ts'
import { checkDelete, checkRename } from './move.ts'
import type {
  Caller,
  CreateRequest,
  DeleteRequest,
  Inode,
  MkdirRequest,
  RenameRequest,
  Resolution,
} from './types.ts'

export interface ChecksModules {
  readonly engine: Engine
  /** Begins an operation of the namespace. */
  readonly begin: () => void
}

export class Checks {
  readonly #modules: ChecksModules

  constructor(modules: ChecksModules) {
    this.#modules = modules
  }

  create(
    request: CreateRequest,
    caller: Caller,
  ): { readonly existing: Inode | undefined; readonly resolution: Resolution } {
    const engine = this.#begin()
    const { existing } = checkCreate(engine, request, caller)
    return {
      existing: existing === undefined ? undefined : engine.inode(request.path, existing),
      resolution: engine.mounts.resolve(request.path),
    }
  }

  mkdir(request: MkdirRequest, caller: Caller): { readonly existing: Inode | undefined } {
    const engine = this.#begin()
    const { existing } = checkMkdir(engine, request, caller)
    return { existing: existing === undefined ? undefined : engine.inode(request.path, existing) }
  }

  rename(request: RenameRequest, caller: Caller): Inode {
    const engine = this.#begin()
    return engine.inode(request.src, checkRename(engine, request, caller).source)
  }

  delete(request: DeleteRequest, caller: Caller): Inode {
    const engine = this.#begin()
    return engine.inode(request.path, checkDelete(engine, request, caller))
  }

  /** Whether the caller may write the file or directory itself (free, persist, load). */
  write(path: string, caller: Caller): Inode {
    const engine = this.#begin()
    const inode = engine.inode(path, engine.existing(path, caller))
    if (inode.record.owner !== caller.user) engine.access.check(inode.record, caller, WRITE, path)
    return inode
  }

  #begin(): Engine {
    this.#modules.begin()
    return this.#modules.engine
  }
}
