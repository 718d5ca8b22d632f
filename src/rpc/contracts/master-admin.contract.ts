/** What operators and clients ask about the cluster. */
import { Type as T } from '@sinclair/typebox'
import { contract, unary } from '../contract.ts'
import { BlockInfo, Bytes, MountInfo, TierUsage, WorkerAddress } from './types.ts'

const READ = { idempotent: true, deadlineMs: 10_000 } as const

export const StoreChangeInfo = T.Object({
  id: T.Number(),
  op: T.String(),
  paths: T.Array(T.String()),
  /** Of the mount whose store is changed. */
  uri: T.String(),
  startedMs: T.Number(),
  /** Objects moved so far, of a directory that moves object by object. */
  moved: T.Optional(T.Number()),
  /** What the store answered last, if it has to be asked again. */
  waitsFor: T.Optional(T.String()),
})

export const WorkerInfo = T.Object({
  address: WorkerAddress,
  state: T.Union([T.Literal('LIVE'), T.Literal('LOST')]),
  tiers: T.Array(TierUsage),
  blocks: T.Number(),
  /** Milliseconds since the last heartbeat. */
  heartbeatAgeMs: T.Number(),
  startedMs: T.Number(),
  /** Release of the worker and commit that it was built from; empty where it does not know. */
  version: T.Optional(T.String()),
  revision: T.Optional(T.String()),
})

export const MasterAdmin = contract({
  name: 'master.admin',
  id: 2,
  version: 1,
  methods: {
    info: unary({
      id: 1,
      ...READ,
      doc: 'Who the master is and how it fares.',
      request: T.Object({}),
      response: T.Object({
        clusterId: T.String(),
        address: T.String(),
        webPort: T.Number(),
        rpcPort: T.Number(),
        startedMs: T.Number(),
        nowMs: T.Number(),
        version: T.String(),
        safeMode: T.Boolean(),
        files: T.Number(),
        directories: T.Number(),
      }),
    }),
    workers: unary({
      id: 2,
      ...READ,
      doc: 'Live and lost workers.',
      request: T.Object({}),
      response: T.Object({ workers: T.Array(WorkerInfo) }),
    }),
    ufs: unary({
      id: 3,
      ...READ,
      deadlineMs: 30_000,
      doc: 'Mounts with the space of their stores; -1 where a store cannot tell.',
      request: T.Object({}),
      response: T.Object({
        mounts: T.Array(
          T.Composite([
            T.Omit(MountInfo, ['mode']),
            T.Object({ scheme: T.String(), capacityBytes: T.Number(), usedBytes: T.Number() }),
            T.Pick(MountInfo, ['mode']),
          ]),
        ),
      }),
    }),
    metrics: unary({
      id: 4,
      ...READ,
      doc: 'Values of all metrics.',
      request: T.Object({}),
      response: T.Object({ values: T.Record(T.String(), T.Number()) }),
    }),
    blockInfo: unary({
      id: 5,
      ...READ,
      doc: 'A block and the file that it belongs to.',
      request: T.Object({ blockId: T.Number() }),
      response: T.Object({ block: BlockInfo, path: T.Optional(T.String()), workers: T.Array(WorkerAddress) }),
    }),
    configuration: unary({
      id: 6,
      ...READ,
      doc: 'Configuration of the master as it runs.',
      request: T.Object({}),
      response: T.Object({
        values: T.Array(T.Object({ key: T.String(), value: T.String(), source: T.String() })),
      }),
    }),
    setUfsMode: unary({
      id: 20,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'Maintenance mode of the under-stores that are mounted at or below a URI. Durable. Answers with the paths of their mounts.',
      request: T.Object({
        uri: T.String(),
        mode: T.Union([T.Literal('readWrite'), T.Literal('readOnly'), T.Literal('noAccess')]),
      }),
      response: T.Object({ paths: T.Array(T.String()) }),
    }),
    setPathConf: unary({
      id: 21,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'Sets and removes properties of a path. Durable.',
      request: T.Object({
        path: T.String(),
        set: T.Record(T.String(), T.String()),
        /** Keys; one that is not set is no error. */
        remove: T.Array(T.String()),
      }),
      response: T.Object({ version: T.Number() }),
    }),
    cleanUfs: unary({
      id: 23,
      idempotent: true,
      deadlineMs: 0,
      doc: 'Deletes what killed writers left in the under-stores at or below a URI and no listing shows. They have to be in maintenance, with no change of theirs under way.',
      request: T.Object({ uri: T.String() }),
      response: T.Object({ objects: T.Number(), bytes: T.Number() }),
    }),
    changes: unary({
      id: 22,
      ...READ,
      doc: 'Changes of under-stores that are under way (rename, delete, mkdir and what follows a write), oldest first.',
      request: T.Object({}),
      response: T.Object({ changes: T.Array(StoreChangeInfo) }),
    }),
    putCredential: unary({
      id: 30,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'A key with which clients of the S3 gateway act as a user. Durable. ALREADY_EXISTS when it is another user’s.',
      request: T.Object({ accessKeyId: T.String(), secretAccessKey: T.String(), user: T.String() }),
      response: T.Object({}),
    }),
    credentials: unary({
      id: 31,
      ...READ,
      doc: 'Keys of the S3 gateway without their secrets: all for the superuser, else the caller’s own.',
      request: T.Object({}),
      response: T.Object({
        credentials: T.Array(T.Object({ accessKeyId: T.String(), user: T.String(), createdMs: T.Number() })),
      }),
    }),
    deleteCredential: unary({
      id: 32,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'Removes a key of the S3 gateway. False if there was none.',
      request: T.Object({ accessKeyId: T.String() }),
      response: T.Object({ deleted: T.Boolean() }),
    }),
    signingKey: unary({
      id: 33,
      ...READ,
      doc: 'What a gateway needs to check signatures of one day and region (AWS Signature Version 4); the secret stays here. Superusers only.',
      request: T.Object({ accessKeyId: T.String(), date: T.String(), region: T.String() }),
      response: T.Object({ user: T.String(), key: Bytes }),
    }),
  },
})
