/** What workers tell the master, and what the master asks of workers (by the stream that they open). */
import { Type as T } from '@sinclair/typebox'
import { contract, download, unary } from '../contract.ts'
import { BlockInfo, Bytes, MountInfo, TierUsage, UfsSource, WorkerAddress } from './types.ts'

const CALL = { idempotent: true, deadlineMs: 10_000 } as const
/** Which registration of the worker speaks; a call of an older one fails with CONFLICT, reason STALE_SESSION. */
const session = T.Number()
/** Blocks, 9 bytes each: f64 little-endian block id, u8 tier index. */
const BlockTiers = Bytes

export const MasterBlock = contract({
  name: 'master.block',
  id: 3,
  version: 1,
  methods: {
    register: unary({
      id: 1,
      ...CALL,
      doc: 'A worker starts, or starts again. Until registerEnd its old replicas stay known.',
      request: T.Object({
        uuid: T.String(),
        host: T.String(),
        rpcPort: T.Number(),
        webPort: T.Number(),
        tiers: T.Array(TierUsage),
        /** Cluster that the worker's blocks belong to; empty for a new worker. */
        clusterId: T.String(),
        version: T.Optional(T.String()),
        revision: T.Optional(T.String()),
        /** Other names and addresses of its host, by which schedulers may know it. */
        names: T.Optional(T.Array(T.String({ maxLength: 255 }), { maxItems: 100 })),
      }),
      response: T.Object({ workerId: T.Number(), session, clusterId: T.String() }),
    }),
    registerBlocks: unary({
      id: 2,
      ...CALL,
      doc: 'One page of the blocks that the worker holds.',
      request: T.Object({ session, blocks: BlockTiers }),
      response: T.Object({}),
    }),
    registerEnd: unary({
      id: 3,
      ...CALL,
      deadlineMs: 60_000,
      doc: 'All pages were sent: replicas that were not among them are gone. Answers with block ids that the worker should drop.',
      request: T.Object({ session }),
      response: T.Object({ drop: Bytes }),
    }),
    heartbeat: unary({
      id: 4,
      ...CALL,
      doc: 'What changed since the last heartbeat, in order: removed, then added or moved.',
      request: T.Object({
        session,
        removed: Bytes,
        added: BlockTiers,
        tiers: T.Array(TierUsage),
        /** Open reads and writes. */
        load: T.Number(),
        /** f64 little-endian ids of removed blocks whose only known copy was damaged. */
        lost: T.Optional(Bytes),
      }),
      response: T.Object({ register: T.Boolean(), mountsVersion: T.Number() }),
    }),
    mounts: unary({
      id: 5,
      ...CALL,
      doc: 'The mount table with store options.',
      request: T.Object({}),
      response: T.Object({ mounts: T.Array(MountInfo), version: T.Number() }),
    }),
    commands: download({
      id: 6,
      idempotent: true,
      deadlineMs: 0,
      doc: 'Commands for the worker, as long as it lives. FREE drops blocks, PERSIST writes a file of cached blocks to its under-store, PIN replaces the set of pinned files, CHECK asks whether blocks are there: the next heartbeat names them as added or removed.',
      request: T.Object({ session }),
      item: T.Object({
        kind: T.Union([
          T.Literal('FREE'),
          T.Literal('PERSIST'),
          T.Literal('PIN'),
          T.Literal('LOAD'),
          T.Literal('CHECK'),
        ]),
        taskId: T.Number(),
        /** f64 little-endian ids: blocks of FREE, LOAD and CHECK, files of PIN that any medium will do for. */
        ids: T.Optional(Bytes),
        fileId: T.Optional(T.Number()),
        blockSizeBytes: T.Optional(T.Number()),
        target: T.Optional(UfsSource),
        blocks: T.Optional(T.Array(BlockInfo)),
        workers: T.Optional(T.Array(WorkerAddress)),
        mode: T.Optional(T.Number()),
        owner: T.Optional(T.String()),
        group: T.Optional(T.String()),
        /** Of PIN: files that must lie on one of some media. */
        mediaPins: T.Optional(T.Array(T.Object({ media: T.Array(T.String()), ids: Bytes }))),
      }),
    }),
    taskDone: unary({
      id: 7,
      ...CALL,
      doc: 'A command ended.',
      request: T.Object({
        session,
        taskId: T.Number(),
        fileId: T.Number(),
        fingerprint: T.Optional(T.String()),
        error: T.Optional(T.String()),
        errorCode: T.Optional(T.String()),
        /** Where a persist wrote to: the object goes if its file has gone. */
        target: T.Optional(UfsSource),
      }),
      response: T.Object({}),
    }),
  },
})
