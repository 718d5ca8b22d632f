/** The cases of upstream's UnderFileSystemCommonOperations about directories, by their names. */
import { LARGE_DIRECTORY } from './common-cases.ts'
import {
  check,
  equal,
  exists,
  expectBytes,
  fails,
  get,
  listAll,
  pattern,
  put,
  shape,
  type UfsTestCase,
  type UfsTestContext,
} from './runner.ts'

const BYTES = pattern(10)

/** Files below `a/b`, of which no directory was ever made by itself. */
async function nested({ store, root }: UfsTestContext): Promise<void> {
  for (const path of ['a/b/c/d/file1', 'a/b/c/file2', 'a/b/file3', 'a/file4', 'x/file5']) {
    await put(store, `${root}/${path}`, BYTES)
  }
}

const NESTED_RECURSIVE = [
  'a/',
  'a/b/',
  'a/b/c/',
  'a/b/c/d/',
  'a/b/c/d/file1',
  'a/b/c/file2',
  'a/b/file3',
  'a/file4',
  'x/',
  'x/file5',
].sort()

async function renameDirectory({ store, root }: UfsTestContext): Promise<void> {
  await store.mkdir(`${root}/src`)
  await put(store, `${root}/src/file`, BYTES)
  await store.rename(`${root}/src`, `${root}/dst`)
  equal(await exists(store, `${root}/src`), false, 'the source exists after rename')
  equal(await exists(store, `${root}/src/file`), false, 'a child of the source exists after rename')
  await expectBytes(await get(store, `${root}/dst/file`), BYTES, 'content of a child after rename')
}

export const DIRECTORY_CASES: readonly UfsTestCase[] = [
  {
    name: 'deleteDir',
    async run({ store, root }) {
      await store.mkdir(`${root}/empty`)
      await store.delete(`${root}/empty`)
      equal(await exists(store, `${root}/empty`), false, 'an empty directory exists after delete')
      await store.mkdir(`${root}/full`)
      await put(store, `${root}/full/file`, BYTES)
      await fails(
        () => store.delete(`${root}/full`),
        ['DIRECTORY_NOT_EMPTY'],
        'delete of a directory with a child',
      )
      check(await exists(store, `${root}/full/file`), 'the child is gone after a refused delete')
      await store.delete(`${root}/full`, { recursive: true })
      equal(await exists(store, `${root}/full`), false, 'the directory exists after a recursive delete')
      equal(await exists(store, `${root}/full/file`), false, 'the child exists after a recursive delete')
    },
  },
  {
    name: 'deleteLargeDirectory',
    async run(context) {
      const { store, root } = context
      const names = await LARGE_DIRECTORY.make(context)
      await store.delete(`${root}/large`, { recursive: true })
      for (const name of [names[0]!, names[names.length >> 1]!, names.at(-1)!]) {
        equal(await exists(store, `${root}/large/${name}`), false, `${name} exists after a recursive delete`)
      }
      equal(await exists(store, `${root}/large`), false, 'the directory exists after a recursive delete')
    },
  },
  {
    name: 'createThenDeleteExistingDirectory',
    async run({ store, root }) {
      await store.mkdir(`${root}/a/b`)
      await store.delete(`${root}/a`, { recursive: true })
      equal(await exists(store, `${root}/a`), false, 'the directory exists after delete')
      equal(await exists(store, `${root}/a/b`), false, 'a directory below it exists after delete')
    },
  },
  ...['getDirectoryStatus', 'createThenGetExistingDirectoryStatus'].map(
    (name): UfsTestCase => ({
      name,
      async run({ store, root }) {
        await store.mkdir(`${root}/dir`)
        const status = await store.status(`${root}/dir`)
        equal([status.path, status.directory], [`${root}/dir`, true], 'status of a directory')
        equal(status.fingerprint, '', 'fingerprint of a directory')
      },
    }),
  ),
  {
    name: 'listStatusRoot',
    async run({ store, root }) {
      await put(store, `${root}/file`, BYTES)
      const first = root.split('/')[0]!
      const entries = await listAll(store, '')
      const found = entries.find((entry) => entry.path === first)
      check(found?.directory === true, `the root's listing lacks ${first}`)
      check((await store.status('')).directory, 'the root is no directory')
    },
  },
  {
    name: 'listStatus',
    async run({ store, root }) {
      await store.mkdir(`${root}/dir`)
      await put(store, `${root}/dir/file`, BYTES)
      await store.mkdir(`${root}/dir/sub`)
      await put(store, `${root}/dir/sub/deep`, BYTES)
      const entries = await listAll(store, `${root}/dir`)
      equal(shape(entries, `${root}/dir`), ['file', 'sub/'], 'direct children')
      const file = entries.find((entry) => !entry.directory)!
      const status = await store.status(`${root}/dir/file`)
      equal([file.length, file.fingerprint], [10, status.fingerprint], 'a listed file against its status')
    },
  },
  {
    name: 'listStatusEmpty',
    async run({ store, root }) {
      await store.mkdir(`${root}/empty`)
      equal(await listAll(store, `${root}/empty`), [], 'children of an empty directory')
    },
  },
  {
    name: 'listStatusFile',
    async run({ store, root }) {
      await put(store, `${root}/file`, BYTES)
      await fails(() => store.list(`${root}/file`), ['NOT_A_DIRECTORY'], 'list of a file')
    },
  },
  {
    name: 'listLargeDirectory',
    async run(context) {
      const { store, root } = context
      const names = await LARGE_DIRECTORY.make(context)
      const entries = await listAll(store, `${root}/large`)
      equal(entries.length, names.length, 'number of children')
      equal(shape(entries, `${root}/large`), names, 'children')
      const paged = await listAll(store, `${root}/large`, { limit: 100 })
      equal(shape(paged, `${root}/large`), names, 'children by pages of 100')
      if (store.capabilities.orderedList) {
        equal(
          entries.map((entry) => entry.path.slice(root.length + 7)),
          names,
          'order of the children',
        )
      }
    },
  },
  {
    name: 'listStatusRecursive',
    async run({ store, root }) {
      equal(await listAll(store, root, { recursive: true }), [], 'an empty directory, recursively')
      await store.mkdir(`${root}/sub1`)
      await store.mkdir(`${root}/sub2`)
      await put(store, `${root}/file`, BYTES)
      await put(store, `${root}/sub1/file`, BYTES)
      await store.mkdir(`${root}/sub1/deep`)
      const expected = ['file', 'sub1/', 'sub1/deep/', 'sub1/file', 'sub2/'].sort()
      equal(shape(await listAll(store, root, { recursive: true }), root), expected, 'all descendants')
    },
  },
  {
    name: 'mkdirs',
    async run({ store, root }) {
      await store.mkdir(`${root}/a/b/c`)
      for (const path of ['a', 'a/b', 'a/b/c']) {
        check((await store.status(`${root}/${path}`)).directory, `${path} is no directory`)
      }
      await store.mkdir(`${root}/a/b/c`)
      await store.delete(`${root}/a/b/c`)
      check(await exists(store, `${root}/a/b`), 'a parent that mkdir made is gone with its only child')
      await put(store, `${root}/file`, BYTES)
      await fails(
        () => store.mkdir(`${root}/file`),
        ['ALREADY_EXISTS', 'NOT_A_DIRECTORY'],
        'mkdir where a file stands',
      )
    },
  },
  {
    name: 'objectCommonPrefixesIsDirectory',
    async run(context) {
      await nested(context)
      for (const path of ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'x']) {
        const status = await context.store.status(`${context.root}/${path}`)
        check(status.directory, `${path} is no directory`)
      }
    },
  },
  {
    name: 'objectCommonPrefixesListStatusNonRecursive',
    async run(context) {
      await nested(context)
      const { store, root } = context
      equal(shape(await listAll(store, root), root), ['a/', 'x/'], 'children')
      equal(shape(await listAll(store, `${root}/a`), root), ['a/b/', 'a/file4'], 'children of a')
    },
  },
  {
    name: 'objectCommonPrefixesListStatusRecursive',
    async run(context) {
      await nested(context)
      const entries = await listAll(context.store, context.root, { recursive: true })
      equal(shape(entries, context.root), NESTED_RECURSIVE, 'all descendants')
    },
  },
  {
    name: 'objectNestedDirsListStatusRecursive',
    async run(context) {
      await nested(context)
      for (const limit of [1, 2, 3, 7]) {
        const entries = await listAll(context.store, context.root, { recursive: true, limit })
        equal(shape(entries, context.root), NESTED_RECURSIVE, `all descendants by pages of ${limit}`)
        const at = new Map(entries.map((entry, i) => [entry.path, i]))
        for (const { path } of entries) {
          const parent = path.slice(0, path.lastIndexOf('/'))
          check((at.get(parent) ?? -1) < at.get(path)!, `${path} is listed before its directory`)
        }
      }
    },
  },
  { name: 'renameDirectory', run: renameDirectory },
  {
    name: 'renameDirectoryDeep',
    async run(context) {
      await nested(context)
      const { store, root } = context
      await store.mkdir(`${root}/a/b/empty`)
      await store.rename(`${root}/a`, `${root}/moved`)
      const expected = [
        'b/',
        'b/c/',
        'b/c/d/',
        'b/c/d/file1',
        'b/c/file2',
        'b/empty/',
        'b/file3',
        'file4',
      ].sort()
      equal(
        shape(await listAll(store, `${root}/moved`, { recursive: true }), `${root}/moved`),
        expected,
        'after rename',
      )
      equal(await exists(store, `${root}/a`), false, 'the source exists after rename')
    },
  },
  {
    name: 'renameRenamableDirectory',
    async run(context) {
      await renameDirectory(context)
      const { store, root } = context
      await store.mkdir(`${root}/other`)
      await fails(
        () => store.rename(`${root}/other`, `${root}/dst`),
        ['ALREADY_EXISTS'],
        'rename onto a directory',
      )
      await fails(
        () => store.rename(`${root}/dst`, `${root}/dst/below`),
        ['INVALID_ARGUMENT'],
        'rename of a directory below itself',
      )
    },
  },
  {
    name: 'renameLargeDirectory',
    async run(context) {
      const { store, root } = context
      const names = await LARGE_DIRECTORY.make(context)
      await store.rename(`${root}/large`, `${root}/moved`)
      const entries = await listAll(store, `${root}/moved`)
      equal(shape(entries, `${root}/moved`), names, 'children after rename')
      equal(await exists(store, `${root}/large`), false, 'the source exists after rename')
    },
  },
]
