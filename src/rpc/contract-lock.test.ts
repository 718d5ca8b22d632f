import { describe, expect, it } from '@jest/globals'
import { Type as T } from '@sinclair/typebox'
import { type Contract, contract, download, unary } from './contract.ts'
import { breakingChanges, CONTRACTS, type Lock, lockOf, lockText, readLock } from './contract-lock.ts'

const METHOD = { doc: 'Of the test.', idempotent: true, deadlineMs: 1000 } as const

describe('contract lock', () => {
  it('is up to date, and nothing that it holds was broken', () => {
    expect(breakingChanges(readLock(), lockOf(CONTRACTS))).toEqual([])
    expect(lockText(readLock())).toBe(lockText(lockOf(CONTRACTS)))
  })

  it('knows every contract, each with a number of its own', () => {
    expect(new Set(CONTRACTS.map(({ id }) => id)).size).toBe(CONTRACTS.length)
    for (const { id } of CONTRACTS) expect(id).toBeLessThan(256)
  })

  const request = {
    path: T.String(),
    how: T.Union([T.Literal('A'), T.Literal('B')]),
    last: T.Optional(T.Number()),
  }
  const response = { blocks: T.Array(T.Object({ id: T.Number() })), tags: T.Record(T.String(), T.String()) }
  const locked = lockOf([
    contract({
      name: 'x',
      id: 9,
      version: 2,
      methods: {
        a: unary({ ...METHOD, id: 1, request: T.Object(request), response: T.Object(response) }),
        b: download({ ...METHOD, id: 2, request: T.Object({}), item: T.Object({ n: T.Number() }) }),
      },
    }),
  ])

  /** The changes found when method `a` (or the contract) is declared otherwise. */
  function changed(change: {
    request?: object
    response?: object
    a?: object
    drop?: 'a' | 'b'
    contract?: object
  }): string[] {
    const methods = {
      a: {
        ...unary({
          ...METHOD,
          id: 1,
          request: T.Object({ ...request, ...change.request }),
          response: T.Object({ ...response, ...change.response }),
        }),
        ...change.a,
      },
      b: download({ ...METHOD, id: 2, request: T.Object({}), item: T.Object({ n: T.Number() }) }),
    }
    if (change.drop !== undefined) delete (methods as Record<string, unknown>)[change.drop]
    const present: Contract = { name: 'x', id: 9, version: 2, methods, ...change.contract }
    return breakingChanges(locked, lockOf([present]))
  }

  it('admits what only adds', () => {
    expect(changed({})).toEqual([])
    expect(changed({ request: { more: T.Optional(T.String()) } })).toEqual([])
    expect(changed({ request: { how: T.Union([T.Literal('A'), T.Literal('B'), T.Literal('C')]) } })).toEqual(
      [],
    )
    expect(
      changed({ response: { blocks: T.Array(T.Object({ id: T.Number(), x: T.Optional(T.Null()) })) } }),
    ).toEqual([])
    expect(changed({ request: { path: T.Number() }, contract: { version: 3 } })).toEqual([])
  })

  it.each<[string, Parameters<typeof changed>[0], string]>([
    ['a required property', { request: { more: T.String() } }, 'the new property more must be optional'],
    ['another type', { request: { path: T.Number() } }, 'x.a request.path: it was string, now number'],
    [
      'a property made optional',
      { request: { path: T.Optional(T.String()) } },
      'property 0 was path, now path?',
    ],
    [
      'a member taken away',
      { request: { how: T.Union([T.Literal('A'), T.Null()]) } },
      '"B" is no longer admitted',
    ],
    [
      'a shape inside',
      { response: { blocks: T.Array(T.Object({ id: T.String() })) } },
      'blocks[].id: it was number',
    ],
    ['a record of others', { response: { tags: T.Record(T.String(), T.Number()) } }, 'tags{}: it was string'],
    ['an object for an array', { response: { blocks: T.Object({}) } }, 'blocks: it was {"array"'],
    ['a method taken away', { drop: 'b' }, 'x.b is gone'],
    ['another method id', { a: { id: 7 } }, 'x.a: its id was 1, now 7'],
    ['an id used twice', { a: { id: 2 } }, 'x: a and b share id 2'],
    ['another kind', { a: { kind: 'upload', item: T.Object({}) } }, 'x.a: it was unary, now upload'],
    ['another contract id', { contract: { id: 10 } }, 'x: its id was 9, now 10'],
    ['an older version', { contract: { version: 1 } }, 'x: its version fell to 1'],
    ['a contract taken away', { contract: { name: 'y' } }, 'x is gone'],
  ])('finds %s', (_what, change, message) => {
    expect(changed(change).join('\n')).toContain(message)
  })

  it('finds a property that is gone or moved', () => {
    const fields: Lock = lockOf([
      contract({
        name: 'x',
        id: 9,
        version: 2,
        methods: {
          a: unary({
            ...METHOD,
            id: 1,
            request: T.Object({ how: request.how, path: request.path, last: request.last }),
            response: T.Object({ blocks: response.blocks }),
          }),
          b: download({ ...METHOD, id: 2, request: T.Object({}), item: T.Object({ n: T.Number() }) }),
        },
      }),
    ])
    expect(breakingChanges(locked, fields)).toEqual([
      'x.a request: property 0 was path, now how',
      'x.a response: property 1 was tags, now gone',
    ])
  })
})
