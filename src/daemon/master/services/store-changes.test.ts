import { afterEach, describe, expect, test } from '@jest/globals'
import { makeWorld, ROOT, type World } from '../../../../test/support/namespace.ts'
import { AlluxioError, type FileId, Metrics, silentLog, systemRuntime } from '../../../core/index.ts'
import type { Change } from '../../../namespace/index.ts'
import { MemoryStore, MemoryTree, type UfsCapabilities, type UnderStore } from '../../../ufs/index.ts'
import { PathLocks } from './path-locks.ts'
import { StoreChanges } from './store-changes.ts'
import { StoreSteps } from './store-steps.ts'
import { Uploads } from './uploads.ts'

const runtime = systemRuntime
type Fault = (operation: string, path: string) => 'before' | 'after' | undefined

/** A store that outlives masters; `fault` tells which call is not answered, before or after it took effect. */
class Store {
  readonly memory: UnderStore
  readonly calls: string[] = []
  fault: Fault = () => undefined

  constructor(capabilities: Partial<UfsCapabilities> = {}) {
    const memory = new MemoryStore({ scheme: 'file' }, { runtime, tree: new MemoryTree() })
    this.memory = memory
    const at = (operation: string) => this.#faulty(operation)
    this.door = new Proxy<UnderStore>(memory, {
      get(target, name) {
        if (name === 'capabilities') return { ...target.capabilities, ...capabilities }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? at(String(name))(value.bind(target)) : value
      },
    })
  }

  readonly door: UnderStore

  #faulty(operation: string) {
    return (call: (...args: unknown[]) => Promise<unknown>) =>
      async (...args: unknown[]) => {
        this.calls.push(`${operation} ${args[0]}`)
        const fault = this.fault(operation, String(args[0]))
        if (fault === 'before') throw lost()
        const result = await call(...args)
        if (fault === 'after') throw lost()
        return result
      }
  }

  async put(path: string, text = path): Promise<string> {
    const writer = await this.memory.create(path)
    await writer.write(Buffer.from(text))
    return (await writer.close()).fingerprint
  }

  async names(): Promise<string[]> {
    const { entries } = await this.memory.list('', { recursive: true })
    return entries.map(({ path }) => path)
  }
}

function lost(): AlluxioError {
  return new AlluxioError('UNAVAILABLE', 'no answer')
}

/** What of a master changes stores. */
function masterOn(world: World, store: Store) {
  const { namespace } = world
  const stores = { get: async () => store.door }
  const locks = new PathLocks()
  const steps = new StoreSteps({ namespace, stores, runtime, superuser: ROOT })
  const changes = new StoreChanges({
    namespace,
    steps,
    locks,
    uploads: new Uploads({ runtime }),
    runtime,
    log: silentLog,
    metrics: new Metrics(),
  })
  return { namespace, locks, changes }
}

const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}

let stopped: StoreChanges[] = []
afterEach(() => {
  for (const changes of stopped) changes.stop()
  stopped = []
})

/** A world where the store has `/d/a` and `/d/b` and the namespace knows them. */
async function begin(capabilities: Partial<UfsCapabilities> = {}) {
  const store = new Store(capabilities)
  const prints = { a: await store.put('d/a'), b: await store.put('d/b') }
  const world = await makeWorld()
  const load = async (path: string) => {
    const { entries } = await store.memory.list(path.slice(1))
    const found = entries.map((entry) => ({
      ...entry,
      name: entry.path.slice(entry.path.lastIndexOf('/') + 1),
    }))
    await world.namespace.load({
      path,
      entries: found,
      blockSizeBytes: 1024,
      coverage: 'all',
      listedMs: runtime.now(),
    })
  }
  await load('/')
  await load('/d')
  const master = () => {
    const made = masterOn(world, store)
    stopped.push(made.changes)
    return made
  }
  return { store, world, master, prints }
}

const renameFile = (fingerprint: string): Change => ({
  op: 'rename',
  src: '/d/a',
  dst: '/d/z',
  directory: false,
  length: 3,
  fingerprint,
})
const renameFolder: Change = {
  op: 'rename',
  src: '/d',
  dst: '/e',
  directory: true,
  length: 0,
  fingerprint: '',
}

describe('a change of store and namespace', () => {
  test('is refused as the store refuses it, and leaves no intent', async () => {
    const { store, master, prints } = await begin()
    await store.put('d/z')
    const { changes, namespace, locks } = master()
    const run = changes.run(['/d/a', '/d/z'], () => namespace.intents.begin(renameFile(prints.a)))
    await expect(run).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    expect(namespace.intents.all()).toEqual([])
    expect(locks.blocking('/d/a')).toBeUndefined()
    expect(namespace.inode('/d/a')).toBeDefined()
  })

  test('whose answer was lost is looked up, not done twice', async () => {
    const { store, master, prints } = await begin()
    store.fault = (operation) => (operation === 'rename' ? 'after' : undefined)
    const { changes, namespace } = master()
    await changes.run(['/d/a', '/d/z'], () => namespace.intents.begin(renameFile(prints.a)))
    expect(store.calls.filter((call) => call.startsWith('rename'))).toEqual(['rename d/a'])
    expect(namespace.inode('/d/z')?.record.persistence).toBe('PERSISTED')
    expect(namespace.inode('/d/a')).toBeUndefined()
    expect(namespace.intents.all()).toEqual([])
  })

  test('that cannot be settled refuses who asks for its paths, naming the store, until it is', async () => {
    const { store, master, prints } = await begin()
    store.fault = () => 'before'
    const { changes, namespace, locks } = master()
    const run = changes.run(['/d/a', '/d/z'], () => namespace.intents.begin(renameFile(prints.a)))
    const waiting = locks.exclusive(['/d'], async () => 'ran')
    for (const refused of [run, waiting]) {
      await expect(refused).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        reason: 'UNSETTLED',
        message: expect.stringContaining('file:///under'),
      })
    }
    await expect(locks.exclusive(['/d/a/x'], async () => 'ran')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expect(await locks.exclusive(['/elsewhere'], async () => 'ran')).toBe('ran')
    store.fault = () => undefined
    await until(() => locks.blocking('/d') === undefined)
    expect(namespace.intents.all()).toEqual([])
    expect(await store.names()).toEqual(['d', 'd/b', 'd/z'])
  })
})

describe('an intent that a master left', () => {
  test('is settled by the next one, with the answer for a repeat of its command', async () => {
    const { store, world, master, prints } = await begin()
    const command = Buffer.alloc(16, 7)
    await world.namespace.intents.begin({ ...renameFile(prints.a), command: command.toString('hex') })
    await store.memory.rename('d/a', 'd/z')
    await world.crash()
    const { changes, namespace, locks } = master()
    changes.start()
    expect(locks.blocking('/d/z')).toBeInstanceOf(Promise)
    await until(() => namespace.intents.all().length === 0)
    expect(namespace.inode('/d/z')?.record.tail.fp).toBe(prints.a)
    await namespace.rename({ src: '/d/a', dst: '/d/z', commandId: command }, ROOT)
    await world.restart()
    expect(world.namespace.intents.all()).toEqual([])
  })

  test('of a store that is down does not stop the master, and is settled when it is back', async () => {
    const { store, world, master, prints } = await begin()
    await world.namespace.intents.begin(renameFile(prints.a))
    await world.crash()
    store.fault = () => 'before'
    const { changes, namespace, locks } = master()
    changes.start()
    await expect(locks.blocking('/d/a')).rejects.toMatchObject({ reason: 'UNSETTLED' })
    store.fault = () => undefined
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual(['d', 'd/b', 'd/z'])
  })

  test('of a store that never comes back goes with its mount', async () => {
    const { store, world, master } = await begin()
    await world.namespace.mounts.add(
      { path: '/m', uri: 'file:///gone', readOnly: false, shared: false, options: {} },
      ROOT,
    )
    await world.namespace.intents.begin({ op: 'delete', path: '/m/x', directory: false, recursive: false })
    await world.crash()
    store.fault = () => 'before'
    const { changes, namespace, locks } = master()
    changes.start()
    await expect(locks.blocking('/m')).rejects.toMatchObject({ reason: 'UNSETTLED' })
    await namespace.mounts.remove({ path: '/m' }, ROOT)
    await until(() => locks.blocking('/m') === undefined)
    expect(namespace.intents.all()).toEqual([])
  })

  test('whose command nobody can repeat any more is not begun', async () => {
    const { store, world, master, prints } = await begin()
    await world.namespace.intents.begin(renameFile(prints.a))
    const [intent] = world.namespace.intents.all()
    Object.assign(intent!, { startedMs: runtime.now() - 3_600_000 })
    const { changes, namespace } = master()
    changes.start()
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual(['d', 'd/a', 'd/b'])
    expect(namespace.inode('/d/a')).toBeDefined()
  })

  test('of a directory that moves by copies goes on where it was cut off', async () => {
    const { store, world, master } = await begin({ directoryRename: false, atomicRename: false })
    await store.put('d/sub/c')
    // One file is copied and not deleted, one is moved, one is not touched.
    await store.put('e/a', 'd/a')
    await store.put('e/b', 'd/b')
    await store.memory.delete('d/b')
    await world.namespace.intents.begin(renameFolder)
    await world.crash()
    const { changes, namespace } = master()
    changes.start()
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual(['e', 'e/a', 'e/b', 'e/sub', 'e/sub/c'])
    expect(namespace.inode('/e/a')).toBeDefined()
    expect(namespace.inode('/d')).toBeUndefined()
  })

  test('to delete a directory that is half gone deletes the rest', async () => {
    const { store, world, master } = await begin()
    await store.memory.delete('d/a')
    await world.namespace.intents.begin({ op: 'delete', path: '/d', directory: true, recursive: true })
    await world.crash()
    const { changes, namespace } = master()
    changes.start()
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual([])
    expect(namespace.inode('/d')).toBeUndefined()
  })

  test('of an overwrite takes the old object away', async () => {
    const { store, world, master } = await begin()
    const request = {
      path: '/d/a',
      blockSizeBytes: 1024,
      recursive: false,
      overwrite: true,
      writeType: 'MUST_CACHE',
    }
    await world.namespace.create(request, ROOT)
    await world.crash()
    const { changes, namespace } = master()
    changes.start()
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual(['d', 'd/b'])
    expect(namespace.inode('/d/a')?.record.persistence).toBe('NOT_PERSISTED')
  })
})

describe.each([true, false])(
  'a file that takes the place of another one, in one step: %s',
  (atomicRename) => {
    const aside = '.alluxio-0123456789abcdef.tmp'
    const over = (prints: { a: string; b: string }): Change => ({
      ...{ op: 'rename', src: '/d/a', dst: '/d/b', directory: false, length: 3 },
      ...{ fingerprint: prints.a, over: { aside, fingerprint: prints.b } },
    })

    async function isDone(store: Store, world: World, id: FileId) {
      expect(await store.names()).toEqual(['d', 'd/b'])
      const parts: Uint8Array[] = []
      for await (const part of store.memory.open('d/b', { offset: 0, length: 3 })) parts.push(part)
      expect(Buffer.concat(parts).toString()).toBe('d/a')
      expect(world.namespace.inode('/d/a')).toBeUndefined()
      expect(world.namespace.inode('/d/b')?.record).toMatchObject({ id, persistence: 'PERSISTED' })
      expect(world.namespace.intents.all()).toEqual([])
    }

    test('is there in one step of the namespace, and the other one until then', async () => {
      const { store, world, master, prints } = await begin({ atomicRename })
      const { id } = world.namespace.inode('/d/a')!.record
      const old = world.namespace.inode('/d/b')!.record.id
      const { changes, namespace } = master()
      const seen: (number | undefined)[] = []
      store.fault = () => {
        seen.push(namespace.inode('/d/b')?.record.id)
        return undefined
      }
      await changes.run(['/d/a', '/d/b'], () => namespace.intents.begin(over(prints)))
      expect(new Set(seen)).toEqual(new Set([old]))
      await isDone(store, world, id)
    })

    test.each([0, 1, 2, 3, 4, 5])(
      'call %i to the store is not answered, or its master dies there',
      async (call) => {
        for (const when of ['before', 'after'] as const) {
          for (const dies of [false, true]) {
            const { store, world, master, prints } = await begin({ atomicRename })
            const { id } = world.namespace.inode('/d/a')!.record
            let calls = 0
            // One that dies gets no answer from then on.
            store.fault = () => (calls++ === call ? when : dies && calls > call ? 'before' : undefined)
            const first = master()
            const run = first.changes.run(['/d/a', '/d/b'], () => world.namespace.intents.begin(over(prints)))
            if (dies) {
              await run.catch(() => {})
              first.changes.stop()
              await world.crash()
              store.fault = () => undefined
              const { changes } = master()
              changes.start()
              await until(() => world.namespace.intents.all().length === 0)
            } else await run
            await isDone(store, world, id)
          }
        }
      },
    )

    test('whose own object has gone leaves the other one', async () => {
      for (const fault of [false, true]) {
        const { store, world, master, prints } = await begin({ atomicRename })
        await store.memory.delete('d/a')
        let renames = 0
        // The second rename is that of the source.
        store.fault = (operation) =>
          fault && operation === 'rename' && ++renames === 2 ? 'before' : undefined
        const { changes, namespace } = master()
        const run = changes.run(['/d/a', '/d/b'], () => namespace.intents.begin(over(prints)))
        await expect(run).rejects.toMatchObject({ code: 'NOT_FOUND' })
        // Without a rename in one step it has gone by then.
        expect(await store.names()).toEqual(atomicRename ? ['d', 'd/b'] : ['d'])
        expect(world.namespace.inode('/d/b')).toBeDefined()
        expect(namespace.intents.all()).toEqual([])
      }
    })
  },
)

describe('an object whose file moved while it was written', () => {
  const create = {
    path: '/d/new',
    blockSizeBytes: 1024,
    recursive: false,
    overwrite: false,
    writeType: 'THROUGH',
  }

  test.each([false, true])('follows it and completes it there; moved before the crash: %s', async (moved) => {
    const { store, world, master } = await begin()
    const { inode } = await world.namespace.create(create, ROOT)
    expect(world.namespace.intents.uploadOf(inode.record.id)?.path).toBe('/d/new')
    const fingerprint = await store.put('d/new')
    await world.namespace.rename({ src: '/d/new', dst: '/d/there' }, ROOT)
    const { id } = inode.record
    const request = { path: '/d/new', fileId: id, length: 5, persistAsync: false }
    const completes = { request, caller: ROOT }
    await world.namespace.intents.begin({
      op: 'follow',
      fileId: id,
      written: '/d/new',
      fingerprint,
      completes,
    })
    if (moved) await store.memory.rename('d/new', 'd/there')
    await world.crash()
    const { changes, namespace } = master()
    changes.start()
    await until(() => namespace.intents.all().length === 0)
    expect(await store.names()).toEqual(['d', 'd/a', 'd/b', 'd/there'])
    expect(namespace.inode('/d/there')?.record).toMatchObject({ persistence: 'PERSISTED', length: 5 })
  })

  test('goes when the file is gone, with the directories that it alone kept, and nobody else’s does', async () => {
    const { store, master } = await begin()
    const fingerprint = await store.put('x/y/new')
    const { changes } = master()
    await changes.discard('/d/a', 'another version', 9 as FileId)
    await changes.discard('/x/y/new', fingerprint, 9 as FileId)
    expect(await store.names()).toEqual(['d', 'd/a', 'd/b'])
  })

  describe('with its directory, which moved in one step,', () => {
    /** `/d/new` is written through and its object is in the store, when `/d` becomes `/e`. */
    const movedAlong = async () => {
      const { store, world, master } = await begin()
      const { inode } = await world.namespace.create(create, ROOT)
      const fingerprint = await store.put('d/new')
      const { changes, namespace } = master()
      await changes.run(['/d', '/e'], () => namespace.intents.begin(renameFolder))
      expect(await store.names()).toEqual(['e', 'e/a', 'e/b', 'e/new'])
      return { store, world, master, changes, fingerprint, id: inode.record.id }
    }

    test('goes from there when its file was deleted', async () => {
      const { store, world, changes, fingerprint, id } = await movedAlong()
      await world.namespace.delete({ path: '/e/new', recursive: false }, ROOT)
      await changes.discard('/d/new', fingerprint, id)
      expect(await store.names()).toEqual(['e', 'e/a', 'e/b'])
      expect(world.namespace.intents.all()).toEqual([])
    })

    test('goes from there after a crash, too', async () => {
      const { store, world, master, fingerprint, id } = await movedAlong()
      await world.namespace.delete({ path: '/e/new', recursive: false }, ROOT)
      await world.crash()
      const { changes } = master()
      changes.start()
      await changes.discard('/d/new', fingerprint, id)
      expect(await store.names()).toEqual(['e', 'e/a', 'e/b'])
    })

    test('is found there when its file has moved on', async () => {
      const { store, world, changes, fingerprint, id } = await movedAlong()
      await world.namespace.rename({ src: '/e/new', dst: '/e/there' }, ROOT)
      const request = { path: '/d/new', fileId: id, length: 5, persistAsync: false }
      await changes.follow(id, '/d/new', fingerprint, { request, caller: ROOT })
      expect(await store.names()).toEqual(['e', 'e/a', 'e/b', 'e/there'])
      expect(world.namespace.inode('/e/there')?.record.persistence).toBe('PERSISTED')
    })
  })
})
