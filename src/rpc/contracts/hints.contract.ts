/** Hints for schedulers, served on a port of their own as well as on the master's. The same questions and answers go as JSON over HTTP. */
import { Type as T } from '@sinclair/typebox'
import { contract, download, unary } from '../contract.ts'
import { Bytes } from './types.ts'

const READ = { idempotent: true, deadlineMs: 10_000 } as const
const Name = T.String({ minLength: 1, maxLength: 255 })
const Path = T.String({ minLength: 1, maxLength: 4096 })
const Count = T.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Tier = T.Union([T.Literal('MEM'), T.Literal('SSD'), T.Literal('HDD')])

/** Bytes `offset` to before `offset + length` of a file; absent: from its beginning, to its end. */
export const HintRange = T.Object({ path: Path, offset: T.Optional(Count), length: T.Optional(Count) })

export const HintRequest = T.Object({
  /** Files, or directories with all that is below. */
  paths: T.Array(Path, { maxItems: 10_000 }),
  /** Answered after the paths. */
  ranges: T.Optional(T.Array(HintRange, { maxItems: 10_000 })),
  /** Hosts to choose from, by any of their names; absent: those that hold something. */
  candidates: T.Optional(T.Array(Name, { maxItems: 10_000 })),
  /** Most hosts an answer; absent: 10, or all candidates. */
  top: T.Optional(T.Integer({ minimum: 0, maximum: 10_000 })),
  /** Whether each block is told as well; absent: true. */
  blocks: T.Optional(T.Boolean()),
})

const PathHintInfo = T.Object({
  path: T.String(),
  length: T.Number(),
  cold: T.Boolean(),
  blocks: T.Array(
    T.Object({
      offset: T.Number(),
      length: T.Number(),
      hosts: T.Array(T.Object({ host: T.String(), tier: Tier, freshMs: T.Number() })),
    }),
  ),
  hosts: T.Array(
    T.Object({
      host: T.String(),
      score: T.Number(),
      bytes: T.Object({ MEM: T.Number(), SSD: T.Number(), HDD: T.Number() }),
      load: T.Number(),
      confidence: T.Number(),
      reason: T.String(),
    }),
  ),
})

export const AssignRequest = T.Object({
  /** Files or directories: each block of a file is a split. */
  paths: T.Optional(T.Array(Path, { maxItems: 10_000 })),
  splits: T.Optional(T.Array(HintRange, { maxItems: 200_000 })),
  /** Hosts with their room; absent: all with live workers. Without slots a host gets at most its share and the slack. */
  hosts: T.Optional(
    T.Array(
      T.Object({
        host: Name,
        slots: T.Optional(T.Integer({ minimum: 0, maximum: 1_000_000 })),
        /** Most bytes of splits; absent: any. */
        bytes: T.Optional(Count),
        /** What others of the rack hold and have no room for comes here before it goes elsewhere. */
        rack: T.Optional(Name),
      }),
      { maxItems: 10_000 },
    ),
  ),
  /** Absent: 0.1 */
  slack: T.Optional(T.Number({ minimum: 0, maximum: 1000 })),
})

const AssignmentInfo = T.Object({
  path: T.String(),
  offset: T.Number(),
  length: T.Number(),
  host: T.String(),
  placement: T.Union([T.Literal('LOCAL'), T.Literal('COLD'), T.Literal('OVERFLOW'), T.Literal('NONE')]),
  localBytes: T.Number(),
  alternates: T.Array(T.String()),
  waitMs: T.Number(),
})

const HostShareInfo = T.Object({ host: T.String(), splits: T.Number(), bytes: T.Number() })

/** Position in the changes of one life of the master. */
const Position = { epoch: T.String(), sequence: T.Number() }

export const HintsContract = contract({
  name: 'hints',
  id: 7,
  version: 1,
  methods: {
    locate: unary({
      id: 1,
      ...READ,
      doc: 'Who holds the blocks of paths and ranges, and the hosts that hold most. Who may not read a path gets PERMISSION_DENIED.',
      request: HintRequest,
      response: T.Object({ answers: T.Array(PathHintInfo), ...Position }),
    }),
    rank: unary({
      id: 2,
      ...READ,
      doc: 'The same, ranked among candidates.',
      request: HintRequest,
      response: T.Object({ answers: T.Array(PathHintInfo), ...Position }),
    }),
    assign: download({
      id: 3,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'Spreads splits over hosts: as many as can be beside their bytes, none above its slots or share. The splits come in the order of the question, page by page.',
      request: AssignRequest,
      item: T.Object({
        splits: T.Array(AssignmentInfo),
        /** Of the first item: how many splits are LOCAL, and what each host got. */
        local: T.Optional(T.Number()),
        hosts: T.Optional(T.Array(HostShareInfo)),
        ...Position,
      }),
    }),
    subscribe: download({
      id: 4,
      idempotent: true,
      deadlineMs: 0,
      doc: 'Changes of the replicas of files, and of what is below directories, as they come. An item with `resync` tells that changes were missed (always the first one does): locate again.',
      request: T.Object({ paths: T.Array(Path, { minItems: 1, maxItems: 10_000 }) }),
      item: T.Object({
        ...Position,
        resync: T.Boolean(),
        changes: T.Array(
          T.Object({
            path: T.String(),
            offset: T.Number(),
            host: T.String(),
            /** Empty: the host holds it no longer. */
            tier: T.String(),
          }),
        ),
      }),
    }),
    snapshot: download({
      id: 5,
      idempotent: true,
      deadlineMs: 30_000,
      doc: 'All replicas, to begin with for who follows the published changes: apply those after the sequence of the first item. The payload holds 13 bytes each, little-endian: f64 block id, u32 worker id, u8 tier.',
      request: T.Object({}),
      item: T.Object({
        ...Position,
        /** Of the first item: hosts of the workers. */
        workers: T.Array(T.Object({ id: T.Number(), host: T.String(), tiers: T.Array(T.String()) })),
        replicas: Bytes,
      }),
    }),
    doubt: unary({
      id: 6,
      ...READ,
      doc: 'A reader did not find blocks where they were said to be. Their workers are asked, and it is their word that counts: what a caller may not read, and what nobody says, is passed over.',
      request: T.Object({
        doubts: T.Array(T.Object({ blockId: Count, workerId: Count }), { maxItems: 100 }),
      }),
      response: T.Object({}),
    }),
  },
})
