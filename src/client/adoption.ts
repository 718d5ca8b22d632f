/** A file made of the blocks of others, which are then only good for being deleted: no byte is copied. */
import { BLOCKS_PER_FILE, blockIdOf, blockLength, eachLimited, type Log } from '../core/index.ts'
import type { BlockInfo, Client, Infer, MasterFs } from '../rpc/index.ts'
import type { WrittenBlock } from './block-stream.ts'
import type { EntryStatus } from './file-status.ts'
import type { FileStatus } from './types.ts'
import { isUnreachable, type KnownWorker, type Workers } from './workers.ts'

export interface AdoptionModules {
  readonly fs: Client<typeof MasterFs>
  readonly workers: Workers
  readonly log: Log
}

interface AdoptedBlock {
  readonly from: number
  readonly to: number
  readonly length: number
  readonly worker: KnownWorker
}

/** Blocks of a file that are asked about at once, and calls under way. */
const BLOCKS_PER_CALL = 1000
const CALLS_AT_ONCE = 64

export class Adoption {
  /** In order. */
  readonly blocks: readonly WrittenBlock[]
  readonly lengthBytes: number
  readonly #taken: readonly AdoptedBlock[]

  private constructor(taken: readonly AdoptedBlock[], tiers: ReadonlyMap<number, string>) {
    this.#taken = taken
    this.lengthBytes = taken.reduce((total, { length }) => total + length, 0)
    this.blocks = taken.map(({ to: id, worker }) => ({ id, workerId: worker.id, tier: tiers.get(id)! }))
  }

  /** Undefined when nothing was taken: a block does not fit, is not cached, or cannot be had now. @throws what the master answers */
  static async take(
    into: EntryStatus,
    files: readonly FileStatus[],
    modules: AdoptionModules,
  ): Promise<Adoption | undefined> {
    const blocks = await fitting(into, files, modules)
    if (blocks === undefined) return undefined
    const tiers = new Map<number, string>()
    const asked: AdoptedBlock[] = []
    let failure: unknown
    await eachLimited(blocks, CALLS_AT_ONCE, async (block) => {
      if (failure !== undefined) return
      asked.push(block)
      const { from, to, length, worker } = block
      try {
        tiers.set(to, (await worker.block.adopt({ from, to, length })).tier)
      } catch (error) {
        failure = error
      }
    })
    if (failure === undefined) return new Adoption(blocks, tiers)
    modules.log.debug('blocks not adopted', { path: into.path, error: failure })
    await giveBack(asked)
    return undefined
  }

  /** Never throws: what cannot be given back is lost with the file. */
  giveBack(): Promise<void> {
    return giveBack(this.#taken)
  }
}

function giveBack(blocks: readonly AdoptedBlock[]): Promise<void> {
  const gone = new Set<KnownWorker>()
  return eachLimited(blocks, CALLS_AT_ONCE, async ({ from, to, length, worker }) => {
    if (gone.has(worker)) return
    await worker.block.adopt({ from: to, to: from, length }).catch((error: unknown) => {
      if (isUnreachable(error)) gone.add(worker)
    })
  })
}

/** The blocks of the files if each can be the next one of the new file. */
async function fitting(
  { fileId, blockSizeBytes }: EntryStatus,
  files: readonly FileStatus[],
  { fs, workers }: AdoptionModules,
): Promise<readonly AdoptedBlock[] | undefined> {
  const found: (readonly Infer<typeof BlockInfo>[])[] = files.map(() => [])
  await eachLimited(files.entries(), CALLS_AT_ONCE, async ([i, file]) => {
    if (file.length === 0) return
    const answer = await fs.blocks({ fileId: file.fileId, from: 0, limit: BLOCKS_PER_CALL })
    workers.learn(answer.workers)
    found[i] = answer.blocks
  })
  const infos = found.flat()
  const total = files.reduce((sum, { length }) => sum + length, 0)
  if (infos.length === 0 || infos.length > BLOCKS_PER_FILE) return undefined
  const blocks: AdoptedBlock[] = []
  let covered = 0
  for (const [i, { id: from, length, locations }] of infos.entries()) {
    const worker = locations.map(({ workerId }) => workers.get(workerId)).find((known) => known !== undefined)
    if (worker === undefined || length !== blockLength(total, blockSizeBytes, i)) return undefined
    blocks.push({ from, to: blockIdOf(fileId, i), length, worker })
    covered += length
  }
  return covered === total ? blocks : undefined
}
