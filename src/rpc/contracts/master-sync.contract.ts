/** Syncs of the namespace with its under-stores, as jobs of the master. */
import { Type as T } from '@sinclair/typebox'
import { contract, unary } from '../contract.ts'

const READ = { idempotent: true, deadlineMs: 30_000 } as const
/** A repeat joins the sync that runs already. The store may first have to be asked whether the path exists. */
const WRITE = { idempotent: true, deadlineMs: 0 } as const

const path = T.String()

export const SyncJobInfo = T.Object({
  id: T.Number(),
  path,
  recursive: T.Boolean(),
  force: T.Boolean(),
  /** Compares only. */
  dry: T.Boolean(),
  state: T.Union([
    T.Literal('WAITING'),
    T.Literal('RUNNING'),
    T.Literal('DONE'),
    T.Literal('FAILED'),
    T.Literal('CANCELLED'),
  ]),
  startedMs: T.Number(),
  /** 0 until it has ended. */
  endedMs: T.Number(),
  /** Pages that the store was asked for, and entries on them. */
  pages: T.Number(),
  entries: T.Number(),
  added: T.Number(),
  updated: T.Number(),
  removed: T.Number(),
  /** Differences left alone, because the cluster itself was changing the path at that moment. */
  passed: T.Number(),
  /** Paths of the namespace that the store had otherwise, or not at all. */
  inconsistent: T.Number(),
  errorCode: T.Optional(T.String()),
  errorMessage: T.Optional(T.String()),
})

export const SyncedPathInfo = T.Object({
  path,
  sinceMs: T.Number(),
  /** Time to the next sync, as it is now. */
  intervalMs: T.Number(),
  /** When the last sync that went well began; 0 never. */
  syncedMs: T.Number(),
  syncs: T.Number(),
  changes: T.Number(),
  error: T.Optional(T.String()),
})

export const MasterSync = contract({
  name: 'master.sync',
  id: 5,
  version: 1,
  methods: {
    begin: unary({
      id: 1,
      ...WRITE,
      doc: 'Begins to compare a path with its under-store, or joins the same sync that is under way.',
      request: T.Object({ path, recursive: T.Boolean(), force: T.Boolean(), dry: T.Boolean() }),
      response: T.Object({ job: SyncJobInfo }),
    }),
    progress: unary({
      id: 2,
      ...READ,
      doc: 'How a sync fares, at once or when it has ended, but after `waitMs` at the latest; with inconsistent paths from an index on.',
      request: T.Object({ id: T.Number(), waitMs: T.Number(), from: T.Number() }),
      response: T.Object({ job: SyncJobInfo, paths: T.Array(path) }),
    }),
    cancel: unary({
      id: 3,
      ...WRITE,
      doc: 'Ends a sync. What it has applied stays.',
      request: T.Object({ id: T.Number() }),
      response: T.Object({}),
    }),
    jobs: unary({
      id: 4,
      ...READ,
      doc: 'Syncs under way and those that ended lately.',
      request: T.Object({}),
      response: T.Object({ jobs: T.Array(SyncJobInfo) }),
    }),
    want: unary({
      id: 5,
      ...WRITE,
      doc: 'From now on whoever asks for the path, or for something below it, sees what the under-store has now or later.',
      request: T.Object({ path }),
      response: T.Object({}),
    }),
    start: unary({
      id: 6,
      ...WRITE,
      doc: 'Has the master sync a path by itself from now on; false if it does already.',
      request: T.Object({ path }),
      response: T.Object({ changed: T.Boolean() }),
    }),
    stop: unary({
      id: 7,
      ...WRITE,
      doc: 'Ends that; false if the path was not synced.',
      request: T.Object({ path }),
      response: T.Object({ changed: T.Boolean() }),
    }),
    paths: unary({
      id: 8,
      ...READ,
      doc: 'Paths that the master syncs by itself.',
      request: T.Object({}),
      response: T.Object({ paths: T.Array(SyncedPathInfo) }),
    }),
  },
})
