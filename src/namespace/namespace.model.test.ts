/** The namespace against a model that keeps every path in a map and does everything the slow way. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ALICE, BOB, fastRuntime, makeWorld, ROOT, type World } from '../../test/support/namespace.ts'
import { errorCode, type FileId, FLAG_COMPLETED, isWithin, parentPath, readEntries } from '../core/index.ts'
import type { Caller } from './types.ts'

interface Node {
  directory: boolean
  mode: number
  owner: string
  group: string
  length: number
  complete: boolean
  mount: { readOnly: boolean; uri: string } | undefined
}

class Failure extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

class Model {
  readonly nodes = new Map<string, Node>([
    [
      '/',
      {
        directory: true,
        mode: 0o755,
        owner: 'root',
        group: 'root',
        length: 0,
        complete: true,
        mount: { readOnly: false, uri: 'file:///under/' },
      },
    ],
  ])

  children(path: string): string[] {
    return [...this.nodes.keys()]
      .filter((other) => other !== '/' && parentPath(other) === path)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  below(path: string): string[] {
    return [...this.nodes.keys()].filter((other) => other !== path && isWithin(other, path))
  }

  mountOf(path: string): string {
    for (let at = path; ; at = parentPath(at)) if (this.nodes.get(at)?.mount !== undefined) return at
  }

  may(node: Node, caller: Caller, bits: number): void {
    if (caller.user === 'root') return
    const shift = caller.user === node.owner ? 6 : caller.groups.includes(node.group) ? 3 : 0
    if (((node.mode >> shift) & bits) !== bits) throw new Failure('PERMISSION_DENIED')
  }

  /** The nearest existing ancestor, searched by the caller. */
  above(path: string, caller: Caller): { path: string; node: Node } {
    let at = parentPath(path)
    while (!this.nodes.has(at)) at = parentPath(at)
    const node = this.nodes.get(at)!
    if (!node.directory) throw new Failure('NOT_A_DIRECTORY')
    for (let up = at; ; up = parentPath(up)) {
      this.may(this.nodes.get(up)!, caller, 1)
      if (up === '/') break
    }
    return { path: at, node }
  }

  look(path: string, caller: Caller): Node | undefined {
    if (path === '/') return this.nodes.get('/')
    const above = this.above(path, caller)
    if (above.path !== parentPath(path)) throw new Failure('NOT_FOUND')
    return this.nodes.get(path)
  }

  existing(path: string, caller: Caller): Node {
    const node = this.look(path, caller)
    if (node === undefined) throw new Failure('NOT_FOUND')
    return node
  }

  writable(path: string): void {
    if (this.nodes.get(this.mountOf(path))!.mount!.readOnly) throw new Failure('PERMISSION_DENIED')
  }

  takeName(path: string, node: Node, caller: Caller): void {
    const parent = this.nodes.get(parentPath(path))!
    this.may(parent, caller, 2)
    if ((parent.mode & 0o1000) !== 0 && caller.user !== 'root') {
      if (caller.user !== node.owner && caller.user !== parent.owner) throw new Failure('PERMISSION_DENIED')
    }
  }

  make(path: string, recursive: boolean, caller: Caller, node: Node): void {
    const above = path === '/' ? { path: '/', node: this.nodes.get('/')! } : this.above(path, caller)
    if (above.path !== parentPath(path) && !recursive) throw new Failure('NOT_FOUND')
    this.may(above.node, caller, 2)
    this.writable(path)
    for (let at = parentPath(path); !this.nodes.has(at); at = parentPath(at)) {
      this.nodes.set(at, newNode(caller, true, 0o755))
    }
    this.nodes.set(path, node)
  }

  create(
    path: string,
    caller: Caller,
    options: { recursive: boolean; overwrite: boolean; complete: boolean; mode: number },
  ): void {
    const above = path === '/' ? undefined : this.above(path, caller)
    if (above !== undefined && above.path !== parentPath(path) && !options.recursive)
      throw new Failure('NOT_FOUND')
    const existing = this.nodes.get(path)
    if (existing !== undefined) {
      if (!options.overwrite) throw new Failure('ALREADY_EXISTS')
      if (existing.directory) throw new Failure('IS_A_DIRECTORY')
      this.takeName(path, existing, caller)
    }
    this.make(path, options.recursive, caller, {
      ...newNode(caller, false, options.mode),
      complete: options.complete,
    })
  }

  complete(path: string, length: number, caller: Caller): void {
    const node = this.nodes.get(path)
    if (node === undefined || node.directory) throw new Failure('NOT_FOUND')
    this.may(node, caller, 2)
    if (node.complete) throw new Failure('CONFLICT')
    node.complete = true
    node.length = length
  }

  mkdir(
    path: string,
    caller: Caller,
    options: { recursive: boolean; allowExists: boolean; mode: number },
  ): void {
    if (path !== '/') {
      const above = this.above(path, caller)
      if (above.path !== parentPath(path) && !options.recursive) throw new Failure('NOT_FOUND')
    }
    const existing = this.nodes.get(path)
    if (existing !== undefined) {
      if (options.allowExists && existing.directory) return
      throw new Failure('ALREADY_EXISTS')
    }
    this.make(path, options.recursive, caller, newNode(caller, true, options.mode))
  }

  rename(src: string, dst: string, caller: Caller, overwrite: boolean): void {
    if (src === '/' || dst === '/') throw new Failure('INVALID_ARGUMENT')
    const node = this.existing(src, caller)
    if (src !== dst && isWithin(dst, src)) throw new Failure('INVALID_ARGUMENT')
    const there = this.look(dst, caller)
    if (there !== undefined) {
      if (!overwrite || src === dst) throw new Failure('ALREADY_EXISTS')
      if (there.directory !== node.directory) throw new Failure('CONFLICT')
      this.refuseMounts(dst)
      if (this.below(dst).length > 0) throw new Failure('DIRECTORY_NOT_EMPTY')
    }
    this.refuseMounts(src)
    this.takeName(src, node, caller)
    if (there !== undefined) this.takeName(dst, there, caller)
    this.may(this.nodes.get(parentPath(dst))!, caller, 2)
    this.writable(src)
    this.writable(dst)
    if (this.mountOf(src) !== this.mountOf(dst)) throw new Failure('UNSUPPORTED')
    for (const path of [src, ...this.below(src)]) {
      this.nodes.set(dst + path.slice(src.length), this.nodes.get(path)!)
      this.nodes.delete(path)
    }
  }

  refuseMounts(path: string): void {
    if ([path, ...this.below(path)].some((at) => this.nodes.get(at)?.mount !== undefined))
      throw new Failure('CONFLICT')
  }

  delete(path: string, recursive: boolean, caller: Caller): void {
    if (path === '/') throw new Failure('INVALID_ARGUMENT')
    const node = this.existing(path, caller)
    this.refuseMounts(path)
    this.takeName(path, node, caller)
    this.writable(path)
    const below = this.below(path)
    if (below.length > 0) {
      if (!recursive) throw new Failure('DIRECTORY_NOT_EMPTY')
      this.may(node, caller, 2)
    }
    for (const at of [path, ...below]) this.nodes.delete(at)
  }

  chmod(path: string, mode: number, caller: Caller): void {
    const node = this.existing(path, caller)
    if (caller.user !== 'root' && caller.user !== node.owner) throw new Failure('PERMISSION_DENIED')
    this.writable(path)
    node.mode = mode
  }

  chown(path: string, owner: string, caller: Caller): void {
    const node = this.existing(path, caller)
    if (caller.user !== 'root' && node.owner !== owner) throw new Failure('PERMISSION_DENIED')
    this.writable(path)
    node.owner = owner
  }

  mount(path: string, uri: string, readOnly: boolean, caller: Caller): void {
    if (caller.user !== 'root') throw new Failure('PERMISSION_DENIED')
    for (const { mount } of this.nodes.values()) {
      if (mount !== undefined && (mount.uri.startsWith(`${uri}/`) || `${uri}/`.startsWith(mount.uri))) {
        throw new Failure('INVALID_ARGUMENT')
      }
    }
    if (path !== '/') {
      const above = this.above(path, caller)
      if (above.path !== parentPath(path)) throw new Failure('NOT_FOUND')
    }
    if (this.nodes.has(path)) throw new Failure('ALREADY_EXISTS')
    this.nodes.set(path, { ...newNode(caller, true, 0o755), mount: { readOnly, uri: `${uri}/` } })
  }

  unmount(path: string, caller: Caller): void {
    if (caller.user !== 'root') throw new Failure('PERMISSION_DENIED')
    if (this.nodes.get(path)?.mount === undefined || path === '/') throw new Failure('INVALID_ARGUMENT')
    if (this.below(path).some((at) => this.nodes.get(at)?.mount !== undefined)) throw new Failure('CONFLICT')
    for (const at of [path, ...this.below(path)]) this.nodes.delete(at)
  }
}

function newNode(caller: Caller, directory: boolean, mode: number): Node {
  return {
    directory,
    mode,
    owner: caller.user,
    group: caller.groups[0]!,
    length: 0,
    complete: directory,
    mount: undefined,
  }
}

const name = fc.constantFrom('a', 'b', 'ab', 'ü', '\u{1f600}', 'a b%#')
const path = fc.array(name, { minLength: 0, maxLength: 4 }).map((names) => `/${names.join('/')}`)
const caller = fc.constantFrom(ROOT, ROOT, ALICE, BOB)
const mode = fc.constantFrom(0o755, 0o777, 0o700, 0o1777, 0o644, 0o550)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      path,
      caller,
      recursive: fc.boolean(),
      overwrite: fc.boolean(),
      complete: fc.boolean(),
      mode,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('complete' as const),
      path,
      caller,
      length: fc.integer({ min: 0, max: 5000 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('mkdir' as const),
      path,
      caller,
      recursive: fc.boolean(),
      allowExists: fc.boolean(),
      mode,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('rename' as const),
      path,
      dst: path,
      caller,
      overwrite: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), path, caller, recursive: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('chmod' as const), path, caller, mode }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('chown' as const),
      path,
      caller,
      owner: fc.constantFrom('alice', 'bob'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('mount' as const),
      path,
      caller,
      uri: fc.constantFrom('s3://b/x', 's3://b/x/y', 's3://B/z', 'file:///under/q'),
      readOnly: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unmount' as const), path, caller }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Runs a step on the namespace; the code of its error, or 'OK'. */
async function run(world: World, s: Step): Promise<string> {
  const { namespace } = world
  try {
    switch (s.kind) {
      case 'create':
        await namespace.create(
          {
            path: s.path,
            blockSizeBytes: 1024,
            recursive: s.recursive,
            overwrite: s.overwrite,
            complete: s.complete,
            mode: s.mode,
            writeType: 'MUST_CACHE',
          },
          s.caller,
        )
        break
      case 'complete': {
        const inode = namespace.inode(s.path)
        await namespace.complete(
          { path: s.path, fileId: inode?.record.id ?? (0 as FileId), length: s.length, persistAsync: false },
          s.caller,
        )
        break
      }
      case 'mkdir':
        await namespace.mkdir(
          { path: s.path, recursive: s.recursive, allowExists: s.allowExists, mode: s.mode },
          s.caller,
        )
        break
      case 'rename':
        await namespace.rename({ src: s.path, dst: s.dst, overwrite: s.overwrite }, s.caller)
        break
      case 'delete':
        await namespace.delete({ path: s.path, recursive: s.recursive }, s.caller)
        break
      case 'chmod':
        await namespace.setAttribute({ path: s.path, recursive: false, mode: s.mode }, s.caller)
        break
      case 'chown':
        await namespace.setAttribute({ path: s.path, recursive: false, owner: s.owner }, s.caller)
        break
      case 'mount':
        await namespace.mounts.add(
          { path: s.path, uri: s.uri, readOnly: s.readOnly, shared: false, options: {} },
          s.caller,
        )
        break
      case 'unmount':
        await namespace.mounts.remove({ path: s.path }, s.caller)
        break
      case 'restart':
        await world.restart()
        break
      case 'settle':
        while (await namespace.reclaim(3));
        break
    }
    return 'OK'
  } catch (error) {
    return errorCode(error)
  }
}

function runModel(model: Model, s: Step): string {
  try {
    switch (s.kind) {
      case 'create':
        model.create(s.path, s.caller, s)
        break
      case 'complete':
        // The namespace finds the file by id; a path below a file has none.
        if (belowFile(model, s.path)) throw new Failure('NOT_A_DIRECTORY')
        model.complete(s.path, s.length, s.caller)
        break
      case 'mkdir':
        model.mkdir(s.path, s.caller, s)
        break
      case 'rename':
        model.rename(s.path, s.dst, s.caller, s.overwrite)
        break
      case 'delete':
        model.delete(s.path, s.recursive, s.caller)
        break
      case 'chmod':
        model.chmod(s.path, s.mode, s.caller)
        break
      case 'chown':
        model.chown(s.path, s.owner, s.caller)
        break
      case 'mount':
        model.mount(s.path, s.uri, s.readOnly, s.caller)
        break
      case 'unmount':
        model.unmount(s.path, s.caller)
        break
    }
    return 'OK'
  } catch (error) {
    if (error instanceof Failure) return error.code
    throw error
  }
}

function belowFile(model: Model, at: string): boolean {
  for (let up = parentPath(at); up !== '/'; up = parentPath(up))
    if (model.nodes.get(up)?.directory === false) return true
  return false
}

async function compare(world: World, model: Model): Promise<void> {
  const { namespace } = world
  const walked: string[] = []
  let cursor: string | undefined
  do {
    const page = namespace.walk('/', { limit: 3, cursor })
    walked.push(...page.inodes.map((inode) => inode.path))
    cursor = page.cursor
  } while (cursor !== undefined)
  expect([...walked].sort()).toEqual([...model.nodes.keys()].sort())
  for (const [at, node] of model.nodes) {
    const { record } = await namespace.status(at, ROOT)
    expect([at, record.directory, record.mode, record.owner, (record.flags & FLAG_COMPLETED) !== 0]).toEqual([
      at,
      node.directory,
      node.mode,
      node.owner,
      node.complete,
    ])
    if (!node.directory) {
      expect(record.length).toBe(node.length)
      continue
    }
    const children = model.children(at)
    expect(record.length).toBe(children.length)
    const listed: string[] = []
    let from: string | undefined
    do {
      const page = await namespace.list(at, ROOT, { limit: 2, cursor: from })
      listed.push(...readEntries(page.page).map((entry) => `${at === '/' ? '' : at}/${entry.name}`))
      from = page.cursor
    } while (from !== undefined)
    expect(listed).toEqual(children)
    const below = model.below(at).map((path) => model.nodes.get(path)!)
    const summary = await namespace.contentSummary(at, ROOT)
    expect(summary).toMatchObject({
      files: below.filter((n) => !n.directory).length,
      directories: below.filter((n) => n.directory).length,
      bytes: below.reduce((sum, n) => sum + n.length, 0),
    })
  }
}

test('agrees with the model over random operations of several users', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.integer(), async (steps, seed) => {
      const world = await makeWorld({ maxDirectories: 3 }, fastRuntime(seed))
      const model = new Model()
      for (const s of steps) {
        const expected = runModel(model, s)
        expect(`${JSON.stringify(s)} ${await run(world, s)}`).toBe(`${JSON.stringify(s)} ${expected}`)
      }
      await compare(world, model)
      await world.restart()
      await compare(world, model)
      while (await world.namespace.reclaim(7));
      await compare(world, model)
      expectNoGarbage(world, model)
    }),
    { numRuns: 150 },
  )
})

test('operations of one turn, all in one batch, agree with the model as well', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const world = await makeWorld({ maxDirectories: 3 }, fastRuntime(seed))
      const model = new Model()
      const together = steps.filter((s) => s.kind !== 'restart' && s.kind !== 'settle')
      const outcomes = together.map((s) => run(world, s))
      const expected = together.map((s) => runModel(model, s))
      expect(await Promise.all(outcomes)).toEqual(expected)
      await compare(world, model)
      await world.restart()
      await compare(world, model)
    }),
    { numRuns: 100 },
  )
})

/** When all is reclaimed, the store holds what the tree needs and nothing else. */
function expectNoGarbage(world: World, model: Model): void {
  const everything = { start: Buffer.from([0]), end: Buffer.alloc(7, 0xff) }
  const count = (table: 'inode' | 'edge' | 'reclaim' | 'counter' | 'ttl') =>
    [...world.store.range(table, everything)].length
  expect(count('inode')).toBe(model.nodes.size)
  expect(count('reclaim')).toBe(0)
  const nodes = [...model.nodes.values()]
  expect(count('edge')).toBe(nodes.filter((n) => n.directory || n.length > 0 || !n.complete).length)
  expect(count('counter')).toBeLessThanOrEqual(nodes.filter((n) => n.directory).length)
}
