/** What operators and clients ask about the cluster. */
import { Type as T } from '@sinclair/typebox'
import { contract, unary } from '../contract.ts'
import { BlockInfo, MountInfo, TierUsage, WorkerAddress } from './types.ts'

const READ = { idempotent: true, deadlineMs: 10_000 } as const

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
  },
})
