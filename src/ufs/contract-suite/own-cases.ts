/** Our own cases: what caching and many clients need beyond upstream's suite. */
import { errorCode } from '../../core/index.ts'
import {
  check,
  each,
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
} from './runner.ts'

const BYTES = pattern(100)

/** Names that break naive encodings, each at most 255 bytes. */
export const DIFFICULT_NAMES = [
  'with space',
  ' leading and trailing ',
  'per%cent%20%2F',
  'hash#and?query&amp;=+',
  'quote\'s "double" <tag>',
  'back\\slash',
  'tab\tand\nnewline',
  'ünïcödé-日本語-🚀',
  '~tilde:colon;semi,comma',
  '.hidden',
  '...',
  `long-${'x'.repeat(250)}`,
  '語'.repeat(85),
]

export const OWN_CASES: readonly UfsTestCase[] = [
  {
    name: 'rangesBeyondTheEnd',
    async run({ store, root }) {
      await put(store, `${root}/file`, BYTES)
      const range = (offset: number, length: number) => get(store, `${root}/file`, { offset, length })
      await expectBytes(await range(90, 50), BYTES.subarray(90), 'a range across the end')
      equal((await range(100, 10)).length, 0, 'bytes of a range at the end')
      equal((await range(1000, 10)).length, 0, 'bytes of a range beyond the end')
      equal((await range(5, 0)).length, 0, 'bytes of an empty range')
      await expectBytes(await range(99, 1), BYTES.subarray(99), 'the last byte')
      await fails(() => get(store, `${root}/missing`), ['NOT_FOUND'], 'open of what is missing')
      await store.mkdir(`${root}/dir`)
      await fails(() => get(store, `${root}/dir`), ['IS_A_DIRECTORY'], 'open of a directory')
    },
  },
  {
    name: 'difficultNames',
    async run({ store, root }) {
      const { refusedNames } = store.capabilities
      const names = DIFFICULT_NAMES.filter((name) => refusedNames?.test(name) !== true)
      for (const name of DIFFICULT_NAMES) {
        if (names.includes(name)) continue
        await fails(() => put(store, `${root}/${name}`, BYTES), ['INVALID_ARGUMENT'], `create of "${name}"`)
        await fails(() => store.mkdir(`${root}/${name}`), ['INVALID_ARGUMENT'], `mkdir of "${name}"`)
      }
      for (const name of names) {
        check(Buffer.byteLength(name) <= 255, `${name} is too long for this case`)
        await put(store, `${root}/d/${name}`, BYTES)
        await expectBytes(await get(store, `${root}/d/${name}`), BYTES, `content of "${name}"`)
        equal((await store.status(`${root}/d/${name}`)).path, `${root}/d/${name}`, 'path of a status')
      }
      for (const limit of [1000, 3]) {
        const entries = await listAll(store, `${root}/d`, { limit })
        equal(shape(entries, `${root}/d`), [...names].sort(), `listing by pages of ${limit}`)
      }
      const recursive = await listAll(store, `${root}/d`, { recursive: true, limit: 4 })
      equal(shape(recursive, `${root}/d`), [...names].sort(), 'recursive listing')
      // Servers that keep directories as objects add to their names, so the longest do not fit there.
      const directories = names.filter(
        (name) => store.capabilities.directories || Buffer.byteLength(name) < 240,
      )
      for (const name of names) {
        await store.rename(`${root}/d/${name}`, `${root}/d/renamed`)
        await store.rename(`${root}/d/renamed`, `${root}/d/${name}`)
        await store.delete(`${root}/d/${name}`)
        equal(await exists(store, `${root}/d/${name}`), false, `"${name}" exists after delete`)
      }
      for (const name of directories) {
        await store.mkdir(`${root}/dirs/${name}`)
        check((await store.status(`${root}/dirs/${name}`)).directory, `"${name}" is no directory`)
      }
      const listed = shape(await listAll(store, `${root}/dirs`), `${root}/dirs`)
      equal(listed, directories.map((name) => `${name}/`).sort(), 'directories')
    },
  },
  {
    name: 'pagingUnderMutation',
    async run({ store, root }) {
      const names = Array.from({ length: 60 }, (_, i) => `n-${String(i).padStart(3, '0')}`)
      await each(names, (name) => put(store, `${root}/${name}`, BYTES))
      const seen: string[] = []
      let cursor: string | undefined
      let page = 0
      do {
        const answer = await store.list(root, { limit: 10, ...(cursor === undefined ? {} : { cursor }) })
        seen.push(...answer.entries.map((entry) => entry.path.slice(root.length + 1)))
        cursor = answer.cursor
        page++
        // Behind the cursor one name goes and one comes; before it one name goes that was not listed yet.
        await store.delete(`${root}/n-00${page}`).catch(ignoreMissing)
        await put(store, `${root}/a-${page}`, BYTES)
        await store.delete(`${root}/n-05${page}`).catch(ignoreMissing)
      } while (cursor !== undefined && page < 50)
      check(page < 50, 'the listing does not end')
      equal(seen.length, new Set(seen).size, 'number of names, each once')
      const stable = names.filter((name) => !/^n-00[1-9]$|^n-05[1-9]$/.test(name))
      const missed = stable.filter((name) => !seen.includes(name))
      equal(missed, [], 'names that were there all the time and were not listed')
    },
  },
  {
    name: 'createReplaces',
    async run({ store, root }) {
      const first = await put(store, `${root}/file`, BYTES)
      const second = await put(store, `${root}/file`, pattern(200, 1))
      check(first.fingerprint !== second.fingerprint, 'two contents have one fingerprint')
      await expectBytes(await get(store, `${root}/file`), pattern(200, 1), 'content')
      await store.mkdir(`${root}/dir`)
      if (store.capabilities.directories) {
        await fails(() => put(store, `${root}/dir`, BYTES), ['IS_A_DIRECTORY'], 'create over a directory')
      }
    },
  },
  {
    name: 'conditionalCreateRace',
    needs: ['conditionalCreate'],
    async run({ store, root }) {
      const writers = Array.from({ length: 8 }, (_, i) => i)
      const outcomes = await Promise.all(
        writers.map(async (i) => {
          try {
            await put(store, `${root}/once`, pattern(1000, i), { ifAbsent: true })
            return 'won'
          } catch (error) {
            return errorCode(error)
          }
        }),
      )
      equal(outcomes.filter((outcome) => outcome === 'won').length, 1, `winners among ${outcomes.join(' ')}`)
      check(
        outcomes.every((outcome) => outcome === 'won' || outcome === 'ALREADY_EXISTS'),
        `losers: ${outcomes.join(' ')}`,
      )
      await expectBytes(await get(store, `${root}/once`), pattern(1000, outcomes.indexOf('won')), 'content')
    },
  },
  {
    name: 'conditionalCreateLarge',
    needs: ['conditionalCreate'],
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes)
      await put(store, `${root}/large`, bytes, { ifAbsent: true })
      await fails(
        () => put(store, `${root}/large`, pattern(largeBytes, 1), { ifAbsent: true }),
        ['ALREADY_EXISTS'],
        'a second create with ifAbsent',
      )
      await expectBytes(await get(store, `${root}/large`), bytes, 'content')
    },
  },
  {
    name: 'fingerprintConflict',
    async run({ store, root }) {
      const { fingerprint } = await put(store, `${root}/file`, BYTES)
      await expectBytes(
        await get(store, `${root}/file`, { fingerprint }),
        BYTES,
        'content of the version asked for',
      )
      await put(store, `${root}/file`, pattern(100, 1))
      const error = await fails(
        () => get(store, `${root}/file`, { fingerprint }),
        ['CONFLICT'],
        'read of a version that is gone',
      )
      equal(error.reason, 'SOURCE_CHANGED', 'reason')
      const seen: string[] = []
      await get(store, `${root}/file`, { onFingerprint: (version) => seen.push(version) })
      equal(seen, [(await store.status(`${root}/file`)).fingerprint], 'versions told by a read')
    },
  },
  {
    name: 'chunksStayValid',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes, 2)
      await put(store, `${root}/file`, bytes)
      const chunks: Uint8Array[] = []
      for await (const chunk of store.open(`${root}/file`, { offset: 0, length: largeBytes })) {
        check(chunk.length > 0, 'a chunk is empty')
        chunks.push(chunk)
      }
      await expectBytes(Buffer.concat(chunks), bytes, 'chunks kept until the end')
    },
  },
  {
    name: 'leavingAReadEarly',
    async run({ store, root, largeBytes }) {
      const bytes = pattern(largeBytes, 4)
      await put(store, `${root}/file`, bytes)
      for (let i = 0; i < 8; i++) {
        for await (const chunk of store.open(`${root}/file`, { offset: i, length: largeBytes })) {
          await expectBytes(chunk, bytes.subarray(i, i + chunk.length), 'the first chunk')
          break
        }
      }
      await expectBytes(await get(store, `${root}/file`), bytes, 'content afterwards')
    },
  },
  {
    name: 'concurrentReads',
    async run({ store, root }) {
      const bytes = pattern(2 ** 18, 6)
      await put(store, `${root}/file`, bytes)
      const offsets = Array.from({ length: 32 }, (_, i) => i * 8000)
      await Promise.all(
        offsets.map(async (offset) => {
          const part = await get(store, `${root}/file`, { offset, length: 9000 })
          await expectBytes(part, bytes.subarray(offset, offset + 9000), `9,000 bytes at ${offset}`)
        }),
      )
    },
  },
  {
    name: 'metadataIsKept',
    needs: ['objectMetadata'],
    async run({ store, root, largeBytes }) {
      const metadata = { owner: 'alice', purpose: 'test' }
      const sorted = (given: object) => Object.entries(given).sort()
      const metadataOf = async (path: string) => sorted((await store.status(path)).metadata ?? {})
      await put(store, `${root}/small`, BYTES, { metadata })
      await put(store, `${root}/large`, pattern(largeBytes), { metadata })
      for (const name of ['small', 'large']) {
        equal(await metadataOf(`${root}/${name}`), sorted(metadata), `metadata of a ${name} file`)
      }
      await store.rename(`${root}/small`, `${root}/moved`)
      equal(await metadataOf(`${root}/moved`), sorted(metadata), 'metadata after rename')
    },
  },
  {
    name: 'modeAndOwner',
    needs: ['posix'],
    async run({ store, root }) {
      const created = await put(store, `${root}/file`, BYTES, { mode: 0o640 })
      equal(created.mode, 0o640, 'mode of what close returned')
      await store.setAttributes(`${root}/file`, { mode: 0o600 })
      const status = await store.status(`${root}/file`)
      equal(status.mode, 0o600, 'mode')
      check(status.owner !== undefined && status.group !== undefined, 'no owner or group')
      await store.setAttributes(`${root}/file`, { owner: status.owner, group: status.group })
      await store.mkdir(`${root}/dir`, { mode: 0o750 })
      equal((await store.status(`${root}/dir`)).mode, 0o750, 'mode of a directory')
    },
  },
  {
    name: 'space',
    needs: ['space'],
    async run({ store }) {
      const { totalBytes, usedBytes } = await store.space()
      check(
        totalBytes > 0 && usedBytes >= 0 && usedBytes <= totalBytes,
        `${usedBytes} of ${totalBytes} bytes used`,
      )
    },
  },
  {
    name: 'cancelledCalls',
    async run({ store, root }) {
      await put(store, `${root}/file`, BYTES)
      const signal = AbortSignal.abort()
      await fails(() => store.status(`${root}/file`, signal), ['CANCELLED'], 'status')
      await fails(() => get(store, `${root}/file`, { signal }), ['CANCELLED'], 'open')
      await fails(() => store.delete(`${root}/file`, { signal }), ['CANCELLED'], 'delete')
      check(await exists(store, `${root}/file`), 'a cancelled delete was done')
    },
  },
  {
    name: 'pathsStayBelowTheRoot',
    async run({ store }) {
      for (const path of ['..', 'a/../../b', './x', 'a//b', '/etc', 'a/', 'nul\0']) {
        await fails(
          () => store.status(path),
          ['INVALID_ARGUMENT'],
          `status of "${path.replace('\0', '\\0')}"`,
        )
        await fails(() => get(store, path), ['INVALID_ARGUMENT'], `open of "${path.replace('\0', '\\0')}"`)
      }
      await fails(() => store.delete('', { recursive: true }), ['INVALID_ARGUMENT'], 'delete of the root')
    },
  },
]

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'NOT_FOUND') throw error
}
