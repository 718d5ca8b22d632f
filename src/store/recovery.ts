/**
 * What the folders hold after a start: one listing a folder, nothing opened. Names tell id, length and kind; whether the
 * bytes are sound is found out when they are read.
 */
import { type BlockDisk, blockFileBytes } from '../arrow/index.ts'
import type { BlockId, Log, Runtime } from '../core/index.ts'
import type { Catalog } from './catalog.ts'
import { foundEntry } from './entry.ts'
import type { Files } from './files.ts'
import { allocated, type Folder, type ParsedName, parseName } from './folder.ts'

interface RecoveryModules {
  readonly catalog: Catalog
  readonly files: Files
  readonly disk: BlockDisk
  readonly runtime: Runtime
  readonly log: Log
}

export interface Recovered {
  blocks: number
  partialBlocks: number
  temporaryFilesRemoved: number
}

export function emptySummary(): Recovered {
  return { blocks: 0, partialBlocks: 0, temporaryFilesRemoved: 0 }
}

export async function recover(modules: RecoveryModules): Promise<Recovered> {
  const found = emptySummary()
  for (const tier of modules.catalog.tiers) {
    for (const folder of tier.folders) {
      try {
        modules.disk.makeFolder(folder.path)
        await recoverFolder(folder, modules, found)
      } catch (error) {
        modules.files.fail(folder, error)
      }
    }
  }
  return found
}

/** Also for a folder that comes back: what the store has got elsewhere in the meantime wins. */
export async function recoverFolder(
  folder: Folder,
  modules: Omit<RecoveryModules, 'files'>,
  found: Recovered,
): Promise<void> {
  const { catalog, disk, log } = modules
  const partial = new Map<BlockId, { length: number; kinds: Set<string> }>()
  const stale: string[] = []
  for await (const names of disk.list(folder.path)) {
    for (const name of names) {
      const parsed = parseName(name)
      if (parsed === undefined) {
        if (name !== 'quarantine')
          log.warn('a file in a tier folder is not ours', { folder: folder.path, name })
      } else if (parsed.kind === 'temporary') stale.push(name)
      else if (parsed.kind === 'part' || parsed.kind === 'side') {
        const known = partial.get(parsed.id) ?? { length: parsed.length, kinds: new Set<string>() }
        known.kinds.add(parsed.kind)
        partial.set(parsed.id, known)
      } else if (!recoverSealed(folder, parsed, modules, found)) stale.push(name)
    }
  }
  found.temporaryFilesRemoved += stale.filter((name) => name.startsWith('tmp_')).length
  for (const [id, { length, kinds }] of partial) {
    const paths = folder.partialPaths(id, length)
    const known = catalog.get(id)
    if (kinds.size === 2 && known === undefined) recoverPartial(folder, id, length, modules, found)
    else if (known?.folder !== folder || known.state !== 'partial')
      await Promise.all([disk.remove(paths.data), disk.remove(paths.side)])
  }
  for (const name of stale) await disk.remove(`${folder.path}/${name}`)
}

/** @returns whether the file stays: a block that stands in two folders was being moved when the worker died */
function recoverSealed(
  folder: Folder,
  { kind, id, length }: ParsedName,
  { catalog, runtime }: Pick<RecoveryModules, 'catalog' | 'runtime'>,
  found: Recovered,
): boolean {
  const known = catalog.get(id)
  const returning = folder.failure !== undefined
  if (known !== undefined && returning) {
    return known.folder === folder && known.length === length && known.soleCopy === (kind === 'sole')
  }
  if (known?.state === 'sealed') return false
  if (known !== undefined) catalog.remove(known)
  const bytes = allocated(blockFileBytes(length))
  const soleCopy = kind === 'sole'
  const fields = { id, length, folder, bytes, state: 'sealed', soleCopy } as const
  catalog.add(foundEntry(fields, runtime.monotonic()))
  found.blocks++
  return true
}

function recoverPartial(
  folder: Folder,
  id: BlockId,
  length: number,
  { catalog, disk, runtime }: Pick<RecoveryModules, 'catalog' | 'disk' | 'runtime'>,
  found: Recovered,
): void {
  const paths = folder.partialPaths(id, length)
  const bytes = disk.facts(paths.data).allocatedBytes + disk.facts(paths.side).allocatedBytes
  const fields = { id, length, folder, bytes: allocated(bytes), state: 'partial', soleCopy: false } as const
  catalog.add(foundEntry(fields, runtime.monotonic()))
  found.partialBlocks++
}
