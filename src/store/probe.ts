/**
 * Failed tier folders are tried again, ever less often: a small file is written, synced, read and deleted. A folder that
 * proves sound has its blocks recovered as at a start and is used again. A folder that is missing is not made anew: that would
 * fill the disk below a mount that has gone.
 */
import type { BlockDisk } from '../arrow/index.ts'
import { AlluxioError, type Cancel, isAlluxioError, type Log, type Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import type { Files } from './files.ts'
import type { Folder } from './folder.ts'
import type { StoreMetrics } from './metrics.ts'
import { emptySummary, recoverFolder } from './recovery.ts'
import type { Space } from './space.ts'

interface ProbeModules {
  readonly catalog: Catalog
  readonly files: Files
  readonly space: Space
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly log: Log
  readonly metrics: StoreMetrics
}

const PROBE_BYTES = 4096
/** Longest wait, in first waits. */
const MOST_WAITS = 64

export class Probe {
  readonly #intervalMs: number
  readonly #m: ProbeModules
  readonly #timers = new Map<Folder, Cancel>()
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  /** @param intervalMs first wait after a failure; 0: never */
  constructor(intervalMs: number, modules: ProbeModules) {
    this.#intervalMs = intervalMs
    this.#m = modules
  }

  /** The folder failed. */
  watch(folder: Folder): void {
    this.#later(folder, 1)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const cancel of this.#timers.values()) cancel()
    await Promise.all(this.#running)
  }

  #later(folder: Folder, waits: number): void {
    if (this.#stopped || this.#intervalMs === 0) return
    const cancel = this.#m.runtime.after(this.#intervalMs * waits, () => {
      this.#timers.delete(folder)
      const running: Promise<void> = this.#try(folder, waits).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
    this.#timers.set(folder, cancel)
  }

  async #try(folder: Folder, waits: number): Promise<void> {
    const { log } = this.#m
    try {
      await this.#check(folder)
      await this.#bringBack(folder)
    } catch (error) {
      log.debug('tier folder is still out of use', { folder: folder.path, error })
      this.#later(folder, Math.min(MOST_WAITS, waits * 2))
    }
  }

  /** @throws what is wrong with the folder; one that is only full is sound */
  async #check(folder: Folder): Promise<void> {
    const { disk, runtime } = this.#m
    disk.facts(folder.path)
    const path = folder.temporaryPath(0)
    const written = runtime.randomBytes(Buffer.alloc(PROBE_BYTES))
    const read = Buffer.alloc(PROBE_BYTES)
    try {
      const file = disk.open(path, 'create')
      try {
        await file.write(written, 0)
        await file.sync()
      } finally {
        file.close()
      }
      const again = disk.open(path, 'read')
      try {
        await again.read(read, 0)
      } finally {
        again.close()
      }
    } catch (error) {
      if (!isAlluxioError(error) || (error.reason !== 'ENOSPC' && error.reason !== 'EDQUOT')) throw error
      folder.markFull()
      read.set(written)
    } finally {
      await disk.remove(path)
    }
    if (!read.equals(written)) {
      throw new AlluxioError('DATA_LOSS', `${folder.path} gives back other bytes than were written`)
    }
  }

  async #bringBack(folder: Folder): Promise<void> {
    const { files, space, log, metrics } = this.#m
    const found = emptySummary()
    try {
      await recoverFolder(folder, this.#m, found)
    } catch (error) {
      files.forget(folder)
      throw error
    }
    if (this.#stopped) return
    folder.failure = undefined
    folder.markSpace()
    metrics.foldersBack.add()
    log.info('tier folder is in use again', { folder: folder.path, ...found })
    if (folder.usedBytes > folder.capacityBytes) await space.shrink(folder)
  }
}
