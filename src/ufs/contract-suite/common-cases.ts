/**
 * The cases of upstream's UnderFileSystemCommonOperations about files, by their names. Where upstream's interface has
 * several forms of one call (`getFileStatus`, `getExistingFileStatus`, `getStatus`), ours has one and the cases exercise it
 * under each of their conditions.
 */
import {
  check,
  each,
  equal,
  exists,
  expectBytes,
  fails,
  get,
  pattern,
  put,
  type UfsTestCase,
} from './runner.ts'

const TEXT = new TextEncoder().encode('TestString')

async function abortedWriteLeavesNothing({ store, root }: Parameters<UfsTestCase['run']>[0]): Promise<void> {
  const path = `${root}/createAtomic`
  const writer = await store.create(path)
  await writer.write(TEXT)
  equal(await exists(store, path), false, 'the file is visible before close')
  await writer.close()
  check(await exists(store, path), 'the file is missing after close')
  const second = await store.create(`${root}/aborted`)
  await second.write(TEXT)
  await second.abort()
  equal(await exists(store, `${root}/aborted`), false, 'an aborted file exists')
}

export const FILE_CASES: readonly UfsTestCase[] = [
  { name: 'createAtomic', run: abortedWriteLeavesNothing },
  {
    name: 'createEmpty',
    async run({ store, root }) {
      const created = await put(store, `${root}/empty`, new Uint8Array(0))
      equal(created.length, 0, 'length of what close returned')
      const status = await store.status(`${root}/empty`)
      equal([status.directory, status.length], [false, 0], 'status of an empty file')
    },
  },
  {
    name: 'createNoParent',
    needs: ['directories'],
    async run({ store, root }) {
      await fails(
        () => put(store, `${root}/missing/file`, TEXT, { createParents: false }),
        ['NOT_FOUND'],
        'create below a missing directory without createParents',
      )
      equal(await exists(store, `${root}/missing`), false, 'the parent was made all the same')
    },
  },
  {
    name: 'createParent',
    async run({ store, root }) {
      await put(store, `${root}/a/b/file`, TEXT, { createParents: true })
      check((await store.status(`${root}/a/b`)).directory, 'the parent is no directory')
      await expectBytes(await get(store, `${root}/a/b/file`), TEXT, 'content')
    },
  },
  {
    name: 'createOpen',
    async run({ store, root }) {
      await put(store, `${root}/file`, TEXT)
      await expectBytes(await get(store, `${root}/file`), TEXT, 'content')
    },
  },
  {
    name: 'createOpenEmpty',
    async run({ store, root }) {
      await put(store, `${root}/empty`, new Uint8Array(0))
      equal((await get(store, `${root}/empty`)).length, 0, 'bytes read from an empty file')
      equal(
        (await get(store, `${root}/empty`, { offset: 0, length: 10 })).length,
        0,
        'bytes of a range of an empty file',
      )
    },
  },
  {
    name: 'createOpenAtPosition',
    async run({ store, root }) {
      await put(store, `${root}/file`, TEXT)
      for (let offset = 0; offset < TEXT.length; offset++) {
        const bytes = await get(store, `${root}/file`, { offset, length: 3 })
        await expectBytes(bytes, TEXT.subarray(offset, offset + 3), `3 bytes at ${offset}`)
      }
    },
  },
  {
    name: 'createOpenLarge',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes)
      const created = await put(store, `${root}/large`, bytes, { sizeHint: largeBytes })
      equal(created.length, largeBytes, 'length of what close returned')
      await expectBytes(await get(store, `${root}/large`), bytes, 'content')
    },
  },
  {
    name: 'createOpenExistingLargeFile',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes, 3)
      const { fingerprint } = await put(store, `${root}/large`, bytes)
      const status = await store.status(`${root}/large`)
      equal(status.fingerprint, fingerprint, 'fingerprint of status and of close')
      await expectBytes(await get(store, `${root}/large`, { fingerprint }), bytes, 'content')
    },
  },
  {
    name: 'createOpenSkip',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes, 5)
      await put(store, `${root}/large`, bytes)
      const offset = Math.floor(largeBytes / 2) + 7
      const tail = await get(store, `${root}/large`, { offset, length: largeBytes })
      await expectBytes(tail, bytes.subarray(offset), 'what follows the middle')
    },
  },
  {
    name: 'createDeleteFileConjuction',
    async run({ store, root }) {
      for (let i = 0; i < 5; i++) {
        await put(store, `${root}/file`, TEXT)
        check(await exists(store, `${root}/file`), `round ${i}: the file is missing after create`)
        await store.delete(`${root}/file`)
        equal(await exists(store, `${root}/file`), false, `round ${i}: the file exists after delete`)
      }
    },
  },
  {
    name: 'deleteFile',
    async run({ store, root }) {
      await put(store, `${root}/file`, TEXT)
      await store.delete(`${root}/file`)
      equal(await exists(store, `${root}/file`), false, 'the file exists after delete')
      await fails(() => store.delete(`${root}/file`), ['NOT_FOUND'], 'delete of what is missing')
    },
  },
  {
    name: 'exists',
    async run({ store, root }) {
      equal(await exists(store, `${root}/file`), false, 'before create')
      await put(store, `${root}/file`, TEXT)
      check(await exists(store, `${root}/file`), 'the file is missing')
      await store.mkdir(`${root}/dir`)
      check(await exists(store, `${root}/dir`), 'the directory is missing')
      equal(await exists(store, `${root}/fil`), false, 'a prefix of a name exists')
    },
  },
  {
    name: 'getFileSize',
    async run({ store, root }) {
      await put(store, `${root}/empty`, new Uint8Array(0))
      await put(store, `${root}/file`, TEXT)
      equal((await store.status(`${root}/empty`)).length, 0, 'length of an empty file')
      equal((await store.status(`${root}/file`)).length, TEXT.length, 'length of a file')
    },
  },
  ...['getFileStatus', 'createThenGetExistingFileStatus', 'createThenGetExistingStatus'].map(
    (name): UfsTestCase => ({
      name,
      async run({ store, root }) {
        const created = await put(store, `${root}/${name}`, TEXT)
        const status = await store.status(`${root}/${name}`)
        equal(
          [status.path, status.directory, status.length, status.fingerprint],
          [`${root}/${name}`, false, TEXT.length, created.fingerprint],
          'status right after create',
        )
        check(status.fingerprint !== '', 'a file has no fingerprint')
      },
    }),
  ),
  {
    name: 'getModTime',
    async run({ store, root, runtime }) {
      await put(store, `${root}/file`, TEXT)
      const { modifiedMs } = await store.status(`${root}/file`)
      const skewMs = Math.abs(runtime.now() - modifiedMs)
      check(skewMs < 300_000, `the modification time is ${skewMs} ms away from now`)
    },
  },
  {
    name: 'getNonExistingFileStatus',
    run: ({ store, root }) => missing(store.status(`${root}/missing-file`)),
  },
  {
    name: 'getNonExistingDirectoryStatus',
    run: ({ store, root }) => missing(store.status(`${root}/missing-dir`)),
  },
  {
    name: 'getNonExistingPathStatus',
    run: ({ store, root }) => missing(store.status(`${root}/missing/below/missing`)),
  },
  {
    name: 'isFile',
    async run({ store, root }) {
      await put(store, `${root}/file`, TEXT)
      await store.mkdir(`${root}/dir`)
      equal((await store.status(`${root}/file`)).directory, false, 'a file is a directory')
      equal((await store.status(`${root}/dir`)).directory, true, 'a directory is none')
    },
  },
  ...['renameFile', 'renameRenamableFile'].map(
    (name): UfsTestCase => ({
      name,
      async run({ store, root }) {
        await put(store, `${root}/src`, TEXT)
        await store.rename(`${root}/src`, `${root}/dst`)
        equal(await exists(store, `${root}/src`), false, 'the source exists after rename')
        await expectBytes(await get(store, `${root}/dst`), TEXT, 'content after rename')
        await put(store, `${root}/other`, pattern(3))
        await fails(
          () => store.rename(`${root}/other`, `${root}/dst`),
          ['ALREADY_EXISTS'],
          'rename onto a file that exists',
        )
        await expectBytes(await get(store, `${root}/dst`), TEXT, 'content after a refused rename')
        await fails(
          () => store.rename(`${root}/nothing`, `${root}/x`),
          ['NOT_FOUND'],
          'rename of what is missing',
        )
      },
    }),
  ),
]

async function missing(status: Promise<unknown>): Promise<void> {
  await fails(() => status, ['NOT_FOUND'], 'status of what is missing')
}

export const LARGE_DIRECTORY = {
  /** Makes `count` files in `root/dir` and returns their names in order. */
  async make(context: Parameters<UfsTestCase['run']>[0], dir = 'large'): Promise<string[]> {
    const { store, root, largeCount } = context
    await store.mkdir(`${root}/${dir}`)
    const names = Array.from({ length: largeCount }, (_, i) => `file-${String(i).padStart(6, '0')}`)
    await each(names, (name) => put(store, `${root}/${dir}/${name}`, TEXT))
    return names
  },
}
