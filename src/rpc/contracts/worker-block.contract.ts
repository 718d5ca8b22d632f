/** The data path: what clients (and other workers) ask of a worker. */
import { Type as T } from '@sinclair/typebox'
import { contract, download, unary, upload } from '../contract.ts'
import { TierUsage, UfsSource, WorkerAddress } from './types.ts'

/** A piece of a block and where its bytes are when the worker does not have them. */
const ReadRequest = T.Object({
  blockId: T.Number(),
  /** First byte within the block. */
  offset: T.Number(),
  length: T.Number(),
  blockLength: T.Number(),
  /** Offset of the block within its file; needed with `source`. */
  fileOffset: T.Number(),
  source: T.Optional(UfsSource),
  /** Whether what is fetched stays here. */
  cache: T.Boolean(),
  /** Whether the block moves to the top tier. */
  promote: T.Boolean(),
  /** Whether more of the file is likely to be asked for: the worker reads ahead. */
  sequential: T.Boolean(),
})

/** Tier alias, or UFS for bytes that were fetched for this read. */
const from = T.String()

export const WorkerBlock = contract({
  name: 'worker.block',
  id: 4,
  version: 1,
  methods: {
    read: download({
      id: 1,
      idempotent: true,
      deadlineMs: 60_000,
      doc: 'A range of a block as frames in order.',
      request: ReadRequest,
      item: T.Object({ from }),
    }),
    readAt: unary({
      id: 2,
      idempotent: true,
      deadlineMs: 60_000,
      doc: 'A short range of a block (1 MiB or less) as one payload.',
      request: ReadRequest,
      response: T.Object({ from }),
    }),
    localPath: unary({
      id: 3,
      idempotent: true,
      deadlineMs: 10_000,
      doc: 'The tier file of a sealed block, for a reader on the same host; counts as an access. NOT_FOUND when the block is not sealed here.',
      request: T.Object({ blockId: T.Number(), promote: T.Boolean() }),
      response: T.Object({
        path: T.String(),
        tier: T.String(),
        /** Whether an unbroken seal may be believed (tiers in memory); else pages are verified when first read. */
        trustSeal: T.Optional(T.Boolean()),
      }),
    }),
    write: upload({
      id: 4,
      idempotent: false,
      deadlineMs: 60_000,
      doc: 'A new block as payload frames in order; visible when the response comes.',
      request: T.Object({
        blockId: T.Number(),
        sizeHint: T.Number(),
        pinned: T.Boolean(),
        soleCopy: T.Boolean(),
        medium: T.Optional(T.String()),
      }),
      item: T.Object({}),
      response: T.Object({ length: T.Number(), tier: T.String() }),
    }),
    createLocal: unary({
      id: 5,
      idempotent: false,
      deadlineMs: 10_000,
      doc: 'Reserves space and names the temporary tier file that a writer on the same host fills with an Arrow block.',
      request: T.Object({
        blockId: T.Number(),
        sizeHint: T.Number(),
        pinned: T.Boolean(),
        medium: T.Optional(T.String()),
      }),
      response: T.Object({ path: T.String(), tier: T.String() }),
    }),
    commitLocal: unary({
      id: 6,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'The temporary file is whole: checked, made durable if it is the only copy on a durable tier, renamed.',
      request: T.Object({ blockId: T.Number(), length: T.Number(), soleCopy: T.Boolean() }),
      response: T.Object({ tier: T.String() }),
    }),
    abortLocal: unary({
      id: 7,
      idempotent: true,
      deadlineMs: 10_000,
      doc: 'Throws a temporary file away.',
      request: T.Object({ blockId: T.Number() }),
      response: T.Object({}),
    }),
    writeSmall: unary({
      id: 8,
      idempotent: false,
      deadlineMs: 30_000,
      doc: "A whole small block (1 MiB or less) as the request's payload.",
      request: T.Object({
        blockId: T.Number(),
        pinned: T.Boolean(),
        soleCopy: T.Boolean(),
        medium: T.Optional(T.String()),
      }),
      response: T.Object({ length: T.Number(), tier: T.String() }),
    }),
    writeUfs: upload({
      id: 9,
      idempotent: false,
      // The store may be slow, and is asked again by its own layers.
      deadlineMs: 0,
      doc: 'Writes a file to its under-store, visible at once when the response comes. An item is bytes (its payload) or a block that this worker holds.',
      request: T.Object({
        fileId: T.Number(),
        target: UfsSource,
        mode: T.Number(),
        owner: T.String(),
        group: T.String(),
      }),
      item: T.Object({ blockId: T.Optional(T.Number()), length: T.Optional(T.Number()) }),
      response: T.Object({ fingerprint: T.String(), length: T.Number() }),
    }),
    remove: unary({
      id: 10,
      idempotent: true,
      deadlineMs: 10_000,
      doc: 'Drops blocks of a file whose writer gave up.',
      request: T.Object({ blockIds: T.Array(T.Number()) }),
      response: T.Object({}),
    }),
    adopt: unary({
      id: 21,
      idempotent: true,
      deadlineMs: 60_000,
      doc: 'A sealed block becomes a block of another file without being copied, for a file that is given up for the other one.',
      request: T.Object({ from: T.Number(), to: T.Number(), length: T.Number() }),
      response: T.Object({ tier: T.String() }),
    }),
    info: unary({
      id: 11,
      idempotent: true,
      deadlineMs: 10_000,
      doc: 'Who the worker is and what its tiers hold.',
      request: T.Object({}),
      response: T.Object({
        workerId: T.Number(),
        uuid: T.String(),
        tiers: T.Array(TierUsage),
        blocks: T.Number(),
        startedMs: T.Number(),
        /** Where sealed blocks lie: `b<id>_<length>.arrow`, with `.sole` before the end while it is the only copy. */
        folders: T.Optional(
          T.Array(T.Object({ tier: T.String(), path: T.String(), trustSeal: T.Boolean() })),
        ),
      }),
    }),
    load: download({
      id: 12,
      idempotent: true,
      deadlineMs: 60_000,
      doc: 'Caches a whole block; no bytes go to the caller. Tells now and then how many have come, and ends when the block is sealed here and the master knows it. Ending the stream cancels what nobody else waits for.',
      request: T.Object({
        blockId: T.Number(),
        blockLength: T.Number(),
        /** Offset of the block within its file. */
        fileOffset: T.Number(),
        source: T.Optional(UfsSource),
        /** A worker that has the block, for one that is in no under-store. */
        holder: T.Optional(WorkerAddress),
      }),
      item: T.Object({ bytes: T.Number() }),
    }),
    opened: unary({
      id: 20,
      idempotent: true,
      deadlineMs: 10_000,
      doc: 'Blocks whose tier files readers on this host were told without asking; counts as accesses. What is not here is passed over.',
      request: T.Object({ blockIds: T.Array(T.Number()) }),
      response: T.Object({}),
    }),
  },
})
