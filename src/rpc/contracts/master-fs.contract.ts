/** What clients ask of the master's namespace. */
import { Type as T } from '@sinclair/typebox'
import { contract, unary } from '../contract.ts'
import { BlockInfo, Bytes, MountInfo, UfsSource, WorkerAddress } from './types.ts'

const READ = { idempotent: true, deadlineMs: 30_000 } as const
/**
 * Mutations are retried too: their command id makes a repeat harmless. Any of them may have to wait for an under-store, so who
 * asks waits for as long as the master works on it.
 */
const WRITE = { idempotent: true, deadlineMs: 0 } as const

const path = T.String()
/** 16 random bytes that name the command: a repeat returns the first outcome. */
const commandId = Bytes
/** Age in milliseconds above which metadata is checked against the under-store: -1 never, 0 always. */
const syncIntervalMs = T.Optional(T.Number())
/** One listing entry (core/file-record). */
const Entry = T.Object({ entry: Bytes })

export const MasterFs = contract({
  name: 'master.fs',
  id: 1,
  version: 1,
  methods: {
    getStatus: unary({
      id: 1,
      ...READ,
      doc: 'Metadata of one path.',
      request: T.Object({ path, syncIntervalMs }),
      response: Entry,
    }),
    list: unary({
      id: 2,
      ...READ,
      deadlineMs: 120_000,
      doc: 'One page of a directory in name order; of a file, the file itself. The cursor names the last entry of the page before.',
      request: T.Object({
        path,
        limit: T.Number(),
        cursor: T.Optional(T.String()),
        syncIntervalMs,
        /** NEVER asks the under-store nothing, ONCE only for directories never loaded, ALWAYS each time. */
        loadMetadata: T.Optional(T.Union([T.Literal('NEVER'), T.Literal('ONCE'), T.Literal('ALWAYS')])),
      }),
      response: T.Object({
        page: Bytes,
        cursor: T.Optional(T.String()),
        /** The path is a file, the page's only entry. */
        file: T.Optional(T.Boolean()),
        /** The directory's last sync with its under-store failed: what is listed may be old. */
        stale: T.Optional(T.Boolean()),
      }),
    }),
    open: unary({
      id: 3,
      ...READ,
      doc: 'All that a reader needs: metadata, blocks with their places, and the source of what is not cached. At most 1,000 blocks; more by `blocks`.',
      request: T.Object({ path, syncIntervalMs }),
      response: T.Object({
        entry: Bytes,
        blocks: T.Array(BlockInfo),
        workers: T.Array(WorkerAddress),
        source: T.Optional(UfsSource),
      }),
    }),
    blocks: unary({
      id: 4,
      ...READ,
      doc: 'Blocks of a file with their places, from an index on.',
      request: T.Object({ fileId: T.Number(), from: T.Number(), limit: T.Number() }),
      response: T.Object({ blocks: T.Array(BlockInfo), workers: T.Array(WorkerAddress) }),
    }),
    blocksOfFiles: unary({
      id: 41,
      ...READ,
      doc: 'Blocks of files with their places, for each file in order; of later files none are told when the answer is full. At most 1,000 blocks a file; none of one that is gone or that the caller may not read.',
      request: T.Object({ fileIds: T.Array(T.Number()) }),
      response: T.Object({ files: T.Array(T.Array(BlockInfo)), workers: T.Array(WorkerAddress) }),
    }),
    create: unary({
      id: 5,
      ...WRITE,
      doc: 'A new, incomplete file.',
      request: T.Object({
        path,
        commandId,
        blockSizeBytes: T.Number(),
        recursive: T.Boolean(),
        overwrite: T.Boolean(),
        mode: T.Optional(T.Number()),
        ttlMs: T.Optional(T.Number()),
        ttlAction: T.Optional(T.String()),
        writeType: T.String(),
        replicationMin: T.Optional(T.Number()),
        replicationMax: T.Optional(T.Number()),
        /** Create and complete an empty file in one durable step. */
        complete: T.Optional(T.Boolean()),
        /** Aside, to take the place of `path` by `complete` with `publish`. Only what `path` allows is checked here. */
        staged: T.Optional(T.Boolean()),
      }),
      response: T.Object({
        entry: Bytes,
        /** Where the file goes in the under-store; absent when nothing is mounted writable there. */
        source: T.Optional(UfsSource),
        /** Where a staged file lies until then. */
        staged: T.Optional(path),
      }),
    }),
    complete: unary({
      id: 6,
      ...WRITE,
      doc: 'Makes a file complete, visible and unchangeable.',
      request: T.Object({
        path,
        fileId: T.Number(),
        commandId,
        length: T.Number(),
        /** Where each block was written, in order; empty for THROUGH. */
        blocks: T.Array(T.Object({ id: T.Number(), workerId: T.Number(), tier: T.String() })),
        /** Version of the object that a THROUGH or CACHE_THROUGH write left in the under-store. */
        fingerprint: T.Optional(T.String()),
        persistAsync: T.Boolean(),
        /** The file, made aside, takes its place in the same step, over a file that is there. */
        publish: T.Optional(
          T.Object({
            path,
            /** Id of the file that has to be there, 0 for nothing; else CONFLICT, reason PRECONDITION. */
            expects: T.Optional(T.Number()),
            mode: T.Optional(T.Number()),
            ttlMs: T.Optional(T.Number()),
            ttlAction: T.Optional(T.String()),
            xattr: T.Optional(T.Record(T.String(), Bytes)),
            /** Owner, mode, lists, attributes, pin and time to live are those of the file that is replaced. */
            keeps: T.Optional(T.Boolean()),
            /** The file that was there when this one was begun: what has been changed of it since passes on, if it is there still. */
            follows: T.Optional(
              T.Object({
                fileId: T.Number(),
                mode: T.Number(),
                owner: T.String(),
                group: T.String(),
                accessedMs: T.Number(),
              }),
            ),
          }),
        ),
      }),
      response: Entry,
    }),
    mkdir: unary({
      id: 7,
      ...WRITE,
      doc: 'A new directory; with a through write type also in the under-store.',
      request: T.Object({
        path,
        commandId,
        recursive: T.Boolean(),
        allowExists: T.Boolean(),
        mode: T.Optional(T.Number()),
        writeType: T.String(),
        ttlMs: T.Optional(T.Number()),
        ttlAction: T.Optional(T.String()),
        /** Of the directory, in the same step, also of one that is there already. */
        xattr: T.Optional(T.Record(T.String(), Bytes)),
      }),
      response: Entry,
    }),
    rename: unary({
      id: 8,
      ...WRITE,
      doc: 'Moves a file or directory within one mount.',
      request: T.Object({
        src: path,
        dst: path,
        commandId,
        /** Replace a file by a file, an empty directory by a directory; in one step unless it changes a store. */
        overwrite: T.Optional(T.Boolean()),
      }),
      response: T.Object({}),
    }),
    delete: unary({
      id: 9,
      ...WRITE,
      doc: 'Deletes a path; persisted ones also in the under-store unless alluxioOnly.',
      request: T.Object({
        path,
        commandId,
        recursive: T.Boolean(),
        alluxioOnly: T.Boolean(),
        unchecked: T.Boolean(),
        deleteMountPoint: T.Optional(T.Boolean()),
        /** What the path has to be for it to be deleted; else CONFLICT, reason PRECONDITION. */
        expects: T.Optional(
          T.Object({
            fileId: T.Optional(T.Number()),
            /** Version of its object in the under-store. */
            fingerprint: T.Optional(T.String()),
            /** An extended attribute that it must not have. */
            lacks: T.Optional(T.String()),
          }),
        ),
      }),
      response: T.Object({}),
    }),
    free: unary({
      id: 10,
      ...WRITE,
      doc: 'Drops the cached blocks of a path. Files that are not persisted are refused; forced also frees pinned ones.',
      request: T.Object({ path, recursive: T.Boolean(), forced: T.Boolean() }),
      response: T.Object({ files: T.Number(), bytes: T.Number() }),
    }),
    setAttribute: unary({
      id: 11,
      ...WRITE,
      doc: 'Changes what is given and nothing else.',
      request: T.Object({
        path,
        commandId,
        recursive: T.Boolean(),
        mode: T.Optional(T.Number()),
        owner: T.Optional(T.String()),
        group: T.Optional(T.String()),
        pinned: T.Optional(T.Boolean()),
        media: T.Optional(T.Array(T.String())),
        /** Milliseconds; -1 removes the TTL. */
        ttlMs: T.Optional(T.Number()),
        ttlAction: T.Optional(T.String()),
        replicationMin: T.Optional(T.Number()),
        replicationMax: T.Optional(T.Number()),
        modifiedMs: T.Optional(T.Number()),
        accessedMs: T.Optional(T.Number()),
        xattr: T.Optional(T.Record(T.String(), T.Union([Bytes, T.Null()]))),
        /** A change of access control lists, entries as text (core/acl). */
        acl: T.Optional(
          T.Object({
            action: T.Union([
              T.Literal('SET'),
              T.Literal('MODIFY'),
              T.Literal('REMOVE'),
              T.Literal('REMOVE_ALL'),
              T.Literal('REMOVE_DEFAULT'),
            ]),
            entries: T.Array(T.String()),
          }),
        ),
      }),
      response: T.Object({ changed: T.Number() }),
    }),
    contentSummary: unary({
      id: 12,
      ...READ,
      doc: 'Totals of a subtree from counters, in constant time. The path itself is looked at as by `list`, what is below its children is not.',
      request: T.Object({ path, syncIntervalMs }),
      response: T.Object({
        files: T.Number(),
        directories: T.Number(),
        bytes: T.Number(),
        cachedBytes: T.Number(),
        inMemoryBytes: T.Number(),
      }),
    }),
    persist: unary({
      id: 13,
      ...WRITE,
      doc: 'Queues the asynchronous persist of a file; false if it is persisted already.',
      request: T.Object({ path, commandId }),
      response: T.Object({ queued: T.Boolean() }),
    }),
    mount: unary({
      id: 14,
      ...WRITE,
      doc: 'Mounts an under-store at a path that does not exist yet.',
      request: T.Object({
        path,
        commandId,
        uri: T.String(),
        readOnly: T.Boolean(),
        shared: T.Boolean(),
        options: T.Record(T.String(), T.String()),
        /** Mount it although the store does not answer. */
        force: T.Optional(T.Boolean()),
      }),
      response: T.Object({ mountId: T.Number() }),
    }),
    unmount: unary({
      id: 15,
      ...WRITE,
      doc: 'Forgets a mount; the under-store keeps its files.',
      request: T.Object({ path, commandId }),
      response: T.Object({}),
    }),
    mounts: unary({
      id: 16,
      ...READ,
      doc: 'The mount table.',
      request: T.Object({}),
      response: T.Object({ mounts: T.Array(MountInfo), version: T.Number() }),
    }),
    checksum: unary({
      id: 17,
      ...READ,
      doc: 'Reserved for a checksum kept in metadata; absent when none is known.',
      request: T.Object({ path }),
      response: T.Object({ md5: T.Optional(T.String()) }),
    }),
    statusById: unary({
      id: 18,
      ...READ,
      doc: 'Where the file or directory of an id is now, and its metadata. An empty file is not found by its id.',
      request: T.Object({ fileId: T.Number() }),
      response: T.Object({ path, entry: Bytes }),
    }),
    checkAccess: unary({
      id: 40,
      ...READ,
      doc: 'Whether the caller may read (4), write (2) or search (1) a path; PERMISSION_DENIED if not.',
      request: T.Object({ path, bits: T.Number() }),
      response: T.Object({}),
    }),
    updateMount: unary({
      id: 30,
      ...WRITE,
      doc: 'Replaces what a mount allows and how its store is reached; what is known of its files stays. Old options are not inherited.',
      request: T.Object({
        path,
        readOnly: T.Boolean(),
        shared: T.Boolean(),
        options: T.Record(T.String(), T.String()),
        force: T.Optional(T.Boolean()),
      }),
      response: T.Object({}),
    }),
    pathConf: unary({
      id: 31,
      ...READ,
      doc: 'The configuration of paths, for clients to apply: for each key the longest path that sets it wins.',
      request: T.Object({}),
      response: T.Object({
        entries: T.Array(T.Object({ path, properties: T.Record(T.String(), T.String()) })),
        version: T.Number(),
        /** Mounts that have a contract of their own on how old what is shown may be. */
        contracts: T.Optional(T.Array(path)),
      }),
    }),
  },
})
