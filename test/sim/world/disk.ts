/** A tier's disk as one life of a worker sees it: its calls take time, and after the worker's death they do nothing. */
import type { BlockDisk, BlockFile } from '../../../src/arrow/index.ts'
import { AlluxioError } from '../../../src/core/index.ts'
import type { SimNode } from '../kernel/kernel.ts'
import type { Rng } from '../kernel/rng.ts'

export interface NodeDiskModules {
  readonly disk: BlockDisk
  readonly node: SimNode
  readonly rng: Rng
}

/** @param meanMs mean time of a call that answers with a promise, milliseconds */
export function diskOf(meanMs: number, { disk, node, rng }: NodeDiskModules): BlockDisk {
  const wait = () =>
    new Promise<void>((resolve) => {
      if (node.alive) node.kernel.schedule(node, rng.exponential(meanMs) * 1000, 'disk', resolve)
    })
  const now = <T>(work: () => T): T => {
    if (!node.alive) throw new AlluxioError('UNAVAILABLE', `${node.name} is dead`)
    return work()
  }
  const later = async <T>(work: () => Promise<T>): Promise<T> => {
    await wait()
    return work()
  }
  const fileOf = (file: BlockFile): BlockFile => ({
    path: file.path,
    facts: () => now(() => file.facts()),
    readSync: (buffer, position) => now(() => file.readSync(buffer, position)),
    read: (buffer, position) => later(() => file.read(buffer, position)),
    writeSync: (bytes, position) => now(() => file.writeSync(bytes, position)),
    write: (bytes, position) => later(() => file.write(bytes, position)),
    setModified: (ms) => now(() => file.setModified(ms)),
    resize: (size) => now(() => file.resize(size)),
    sync: () => later(() => file.sync()),
    map: (size) => now(() => file.map(size)),
    close: () => file.close(),
  })
  return {
    get bootTag() {
      return disk.bootTag
    },
    open: (path, mode) => fileOf(now(() => disk.open(path, mode))),
    facts: (path) => now(() => disk.facts(path)),
    rename: (from, to) => now(() => disk.rename(from, to)),
    remove: (path) => later(() => disk.remove(path)),
    makeFolder: (path) => now(() => disk.makeFolder(path)),
    async *list(folder) {
      await wait()
      yield* disk.list(folder)
    },
    syncFolder: (folder) => later(() => disk.syncFolder(folder)),
    space: (folder) => now(() => disk.space(folder)),
  }
}
