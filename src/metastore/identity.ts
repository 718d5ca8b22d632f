/**
 * Who a store is: its cluster, the epoch of this opening and the last batch that was applied. A store that belongs to another
 * cluster, or was written by a newer layout, is refused.
 */
import { AlluxioError, type Runtime } from '../core/index.ts'
import { type JournalDevice, replay } from './journal.ts'
import type { Change, Medium } from './store.ts'

const LAYOUT = 2
/** Changes that are written at once when the journal is replayed. */
const REPLAY_CHANGES = 10_000
const IDENTITY_KEY = Buffer.from('identity')
const APPLIED_KEY = Buffer.from('applied')

export interface Identity {
  readonly clusterId: string
  readonly epoch: number
  readonly appliedSeq: number
}

/** Epoch and number of the batch, written in the same transaction as its effects. */
export function appliedChange(epoch: number, batch: number): Change {
  const value = Buffer.allocUnsafe(16)
  value.writeDoubleBE(epoch, 0)
  value.writeDoubleBE(batch, 8)
  return { table: 'meta', key: APPLIED_KEY, value }
}

/** Whether the tables belong to nobody yet. */
export function isNew(medium: Medium): boolean {
  return medium.get('meta', IDENTITY_KEY) === undefined
}

/**
 * Reads and verifies the identity, makes one for an empty store, applies what only the journal holds, and begins a new epoch
 * durably.
 * @throws CONFLICT, reason FOREIGN_STORE: it belongs to another cluster; UNSUPPORTED: a newer layout; DATA_LOSS: no identity in a
 * store that has records, or a damaged journal
 */
export async function claim(
  {
    medium,
    device,
    runtime,
  }: { readonly medium: Medium; readonly device: JournalDevice; readonly runtime: Runtime },
  expectedClusterId: string | undefined,
): Promise<Identity> {
  const known = medium.get('meta', IDENTITY_KEY)
  const found = known === undefined ? undefined : parse(known)
  if (found === undefined && medium.stats().entries > 0) {
    throw new AlluxioError(
      'DATA_LOSS',
      'the metadata store has records but no identity: it is damaged, restore a backup',
    )
  }
  if (found !== undefined && expectedClusterId !== undefined && found.clusterId !== expectedClusterId) {
    throw new AlluxioError(
      'CONFLICT',
      `the metadata store belongs to cluster ${found.clusterId}, not to ${expectedClusterId}: point the master to its own folder, or format`,
      { reason: 'FOREIGN_STORE', details: { found: found.clusterId, expected: expectedClusterId } },
    )
  }
  const clusterId =
    found?.clusterId ??
    expectedClusterId ??
    Buffer.from(runtime.randomBytes(new Uint8Array(16)).buffer).toString('hex')
  const epoch = (found?.epoch ?? 0) + 1
  const appliedSeq = found === undefined ? 0 : await redo(medium, device, found.epoch)
  const value = Buffer.from(JSON.stringify({ layout: LAYOUT, clusterId, epoch }))
  await medium.write([{ table: 'meta', key: IDENTITY_KEY, value }, appliedChange(epoch, appliedSeq)])
  return { clusterId, epoch, appliedSeq }
}

/** Applies the journal's batches that the tables do not hold yet. Returns the last batch. */
async function redo(medium: Medium, device: JournalDevice, epoch: number): Promise<number> {
  let appliedSeq = medium.get('meta', APPLIED_KEY)?.readDoubleBE(8) ?? 0
  let changes: Change[] = []
  const apply = async () => {
    if (changes.length > 0) await medium.write([...changes, appliedChange(epoch, appliedSeq)])
    changes = []
  }
  for (const record of replay(device, { epoch, appliedSeq })) {
    for (const change of record.changes) changes.push(change)
    appliedSeq = record.batch
    if (changes.length >= REPLAY_CHANGES) await apply()
  }
  await apply()
  return appliedSeq
}

function parse(bytes: Buffer): { clusterId: string; epoch: number } {
  let value: { layout?: unknown; clusterId?: unknown; epoch?: unknown }
  try {
    value = JSON.parse(bytes.toString())
  } catch (cause) {
    throw new AlluxioError('DATA_LOSS', 'the identity of the metadata store cannot be read', { cause })
  }
  if (value.layout !== LAYOUT) {
    throw new AlluxioError(
      'UNSUPPORTED',
      `the metadata store has layout ${String(value.layout)}, this release reads ${LAYOUT}`,
    )
  }
  if (typeof value.clusterId !== 'string' || typeof value.epoch !== 'number') {
    throw new AlluxioError('DATA_LOSS', 'the identity of the metadata store is incomplete')
  }
  return { clusterId: value.clusterId, epoch: value.epoch }
}
