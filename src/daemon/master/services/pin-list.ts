/** The pins of the namespace as workers are told them: the whole list, encoded once for a version of it. */
import type { Namespace } from '../../../namespace/index.ts'
import type { Worker, WorkerCommand, WorkerRegistry } from './worker-registry.ts'

export interface PinListModules {
  readonly namespace: Pick<Namespace, 'pins' | 'pinsVersion'>
  readonly workers: Pick<WorkerRegistry, 'send'>
}

/** Time between two lists to the same worker: many pins in a row do not make a list each. */
const LIST_MS = 1000

export class PinList {
  readonly #modules: PinListModules
  #command: WorkerCommand | undefined
  #version = -1

  constructor(modules: PinListModules) {
    this.#modules = modules
  }

  /** Sends the list to a worker that was just heard of, if it has changed for it. */
  tell(worker: Worker): void {
    const { namespace, workers } = this.#modules
    const { pinsVersion: version } = namespace
    const told = worker.pinsTold
    if (told?.version === version) return
    const monotonicMs = worker.heardMonotonicMs
    if (told !== undefined && monotonicMs - told.monotonicMs < LIST_MS) return
    worker.pinsTold = { version, monotonicMs }
    if (this.#command === undefined || this.#version !== version) {
      this.#command = this.#encode()
      this.#version = version
    }
    workers.send(worker.address.id, this.#command)
  }

  #encode(): WorkerCommand {
    const groups = new Map<string, { readonly media: readonly string[]; readonly files: number[] }>()
    for (const { fileId, media } of this.#modules.namespace.pins()) {
      const key = media.join('\n')
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { media, files: [fileId] })
      else group.files.push(fileId)
    }
    const any = groups.get('')?.files ?? []
    groups.delete('')
    const mediaPins = Array.from(groups.values(), ({ media, files }) => ({
      media: [...media],
      ids: encodeIds(files),
    }))
    return { kind: 'PIN', taskId: 0, ids: encodeIds(any), ...(mediaPins.length === 0 ? {} : { mediaPins }) }
  }
}

function encodeIds(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * 8)
  for (const [i, id] of ids.entries()) bytes.writeDoubleLE(id, i * 8)
  return bytes
}
