/** Moves of directories object by object: what is passed over, what a refusal leaves, and where a move goes on. */
import { expect, test } from '@jest/globals'
import { makeWorld, ROOT } from '../../../../test/support/namespace.ts'
import { AlluxioError, systemRuntime } from '../../../core/index.ts'
import { MemoryStore, MemoryTree, type UfsMoveOptions, type UnderStore } from '../../../ufs/index.ts'
import { TreeMove } from './tree-move.ts'

const runtime = systemRuntime
const PAGE = 2

async function begin() {
  const memory = new MemoryStore({}, { runtime, tree: new MemoryTree() })
  const put = async (path: string) => {
    const writer = await memory.create(path)
    await writer.write(Buffer.from(path))
    await writer.close()
  }
  const files = async () =>
    (await memory.list('', { recursive: true })).entries
      .filter(({ directory }) => !directory)
      .map(({ path }) => path)
  const faults: { copies: number; error: AlluxioError | undefined } = { copies: 0, error: undefined }
  /** Told before each page. */
  let onPage = async (): Promise<void> => {}
  const store: UnderStore = Object.assign(Object.create(memory) as UnderStore, {
    capabilities: { ...memory.capabilities, directories: false, directoryRename: false, atomicRename: false },
    moveObjects: async (src: string, dst: string, { cursor = '', stays }: UfsMoveOptions = {}) => {
      await onPage()
      const left = (await files()).filter((path) => path.startsWith(`${src}/`) && path > cursor)
      const page = left.slice(0, PAGE)
      const moving = page.filter((path) => stays?.(path) !== true)
      for (const path of moving) {
        if (faults.error !== undefined && faults.copies-- === 0) throw faults.error
        await put(dst + path.slice(src.length))
      }
      for (const path of moving) await memory.delete(path)
      return { objects: moving.length, ...(left.length > PAGE ? { cursor: page.at(-1)! } : {}) }
    },
    delete: memory.delete.bind(memory),
    mkdir: memory.mkdir.bind(memory),
    status: async (path: string) => {
      const status = await memory.status(path)
      // A prefix without objects is nothing.
      if (status.directory && !(await files()).some((file) => file.startsWith(`${path}/`)))
        throw new AlluxioError('NOT_FOUND', path)
      return status
    },
  })
  for (const name of ['a', 'b', 'c', 'd', 'e']) await put(`d/${name}`)
  const { namespace } = await makeWorld()
  const entry = { name: 'd', directory: true, length: 0, modifiedMs: 0, fingerprint: '' }
  await namespace.load({ path: '/', entries: [entry], blockSizeBytes: 1024, coverage: 'some', listedMs: 1 })
  const rename = { op: 'rename', src: '/d', dst: '/x', directory: true, length: 0, fingerprint: '' } as const
  const { id } = await namespace.intents.begin(rename)
  const run = (fresh = true) => {
    const intent = namespace.intents.get(id)
    if (intent?.op !== 'rename') throw new AlluxioError('NOT_FOUND', 'no intent')
    return new TreeMove(intent, { namespace, runtime, store }).run(fresh, false)
  }
  const intent = () => namespace.intents.get(id)
  const setOnPage = (work: () => Promise<void>) => {
    onPage = work
  }
  return { namespace, memory, put, files, faults, run, intent, setOnPage }
}

const create = (path: string) => ({
  path,
  blockSizeBytes: 1024,
  recursive: false,
  overwrite: false,
  writeType: 'THROUGH',
})
const moved = (names: string) => [...names].map((name) => `x/${name}`)

test('moves all, also what comes while it moves', async () => {
  const { run, files, put, setOnPage, intent } = await begin()
  let pages = 0
  setOnPage(async () => {
    if (++pages === 3) await put('d/0')
  })
  await run()
  expect(await files()).toEqual(moved('0abcde'))
  expect(intent()).toMatchObject({ moved: 6 })
})

test('leaves the object of an upload that is not booked, unless it is booked meanwhile', async () => {
  const { run, files, namespace, setOnPage, put } = await begin()
  await namespace.create(create('/d/b1'), ROOT)
  const { inode } = await namespace.create(create('/d/b2'), ROOT)
  await put('d/b1')
  await put('d/b2')
  let pages = 0
  setOnPage(async () => {
    if (++pages !== 3) return
    const fileId = inode.record.id
    const request = { path: '/d/b2', fileId, length: 4, fingerprint: 'f', persistAsync: false }
    await namespace.complete(request, ROOT)
  })
  await run()
  expect(await files()).toEqual(['d/b1', 'x/a', 'x/b', 'x/b2', 'x/c', 'x/d', 'x/e'])
})

test('goes on after a failure that may pass, without looking at what it has moved', async () => {
  const { run, files, faults, intent } = await begin()
  faults.copies = 3
  faults.error = new AlluxioError('UNAVAILABLE', 'away')
  await expect(run()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(intent()).toMatchObject({ moved: 2 })
  faults.error = undefined
  await run(false)
  expect(await files()).toEqual(moved('abcde'))
})

test.each([0, 1, 3])('a refusal after %d copies leaves everything where it was', async (copies) => {
  const { run, files, faults } = await begin()
  faults.copies = copies
  faults.error = new AlluxioError('PERMISSION_DENIED', 'no')
  await expect(
    run().finally(() => {
      faults.error = undefined
    }),
  ).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(await files()).toEqual(['d/a', 'd/b', 'd/c', 'd/d', 'd/e'])
})

test('does not begin where something stands, and goes on where it has begun', async () => {
  const { run, files, put } = await begin()
  await put('x/other')
  await expect(run()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
  await expect(run(false)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
  expect(await files()).toHaveLength(6)
})
