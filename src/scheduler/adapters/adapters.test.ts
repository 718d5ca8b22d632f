import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Adapters, loadAdapters, type PathHint, preferredTerms, prioritize, rankOffers } from '../index.ts'

const BLOCK = 1000

/** Hosts hold the blocks that are listed for them; scores fall in that order. */
function hint(path: string, held: Readonly<Record<string, readonly number[]>>, blocks = 2): PathHint {
  const hosts = Object.entries(held).map(([host, list], i) => ({
    host,
    score: 1 / (i + 1),
    bytes: { MEM: list.length * BLOCK, SSD: 0, HDD: 0 },
    load: 0,
    confidence: 0.9,
    reason: '',
  }))
  const cold = Object.values(held).every((list) => list.length === 0)
  const blockHints = Array.from({ length: blocks }, (_, i) => ({
    offset: i * BLOCK,
    length: BLOCK,
    hosts: Object.entries(held)
      .filter(([, list]) => list.includes(i))
      .map(([host]) => ({ host, tier: 'MEM' as const, freshMs: 1 })),
  }))
  return { path, length: blocks * BLOCK, cold, blocks: blockHints, hosts }
}

const adapt = (name: string, hints: readonly PathHint[], facts = {}) =>
  new Adapters().of(name).adapt(hints, facts)

describe('spark', () => {
  const held = hint('/a', { b: [0, 1], a: [0], d: [0, 1], c: [0] })

  test('at most three hosts a block, best first', () => {
    expect(adapt('spark', [held])).toEqual([
      {
        path: '/a',
        length: 2000,
        locations: ['b', 'a', 'd'],
        blocks: [
          { offset: 0, length: BLOCK, locations: ['b', 'a', 'd'] },
          { offset: BLOCK, length: BLOCK, locations: ['b', 'd'] },
        ],
      },
    ])
  })

  test('executors by the names that they have, one of each host first', () => {
    const executors = [
      { node: 'b', host: '10.1.0.5', id: '1' },
      { node: 'b', host: '10.1.0.6', id: '2' },
      { node: 'D', host: '10.1.0.7', id: '3' },
      { node: 'a', host: 'bad_name', id: '4' },
    ]
    const [{ blocks }] = adapt('spark', [held], { executors }) as [{ blocks: { locations: string[] }[] }]
    expect(blocks.map(({ locations }) => locations)).toEqual([
      ['executor_10.1.0.5_1', 'executor_10.1.0.7_3', 'executor_10.1.0.6_2'],
      ['executor_10.1.0.5_1', 'executor_10.1.0.7_3', 'executor_10.1.0.6_2'],
    ])
    expect(() => adapt('spark', [held], { executors: [{ host: 1 }] })).toThrow(/engine.executors/)
  })

  test('cold data is asked for at its stable place; names that Spark misreads are left out', () => {
    const cold = hint('/cold', { x: [], y: [] }, 1)
    expect(adapt('spark', [cold])).toMatchObject([{ blocks: [{ locations: ['x'] }] }])
    expect(adapt('spark', [hint('/u', { a_b: [0], localhost: [0], ok: [0] }, 1)])).toMatchObject([
      { blocks: [{ locations: ['ok'] }] },
    ])
  })

  test('what is told reads back as Spark reads it', () => {
    const part = fc.stringMatching(/^[a-z0-9.-]{1,12}$/)
    fc.assert(
      fc.property(fc.uniqueArray(part, { minLength: 1, maxLength: 6 }), fc.nat({ max: 99 }), (nodes, id) => {
        const executors = nodes.map((node, i) => ({ node, host: `p-${node}`, id: String(id + i) }))
        const file = hint('/p', Object.fromEntries(nodes.map((node) => [node, [0]])), 1)
        const [{ blocks }] = adapt('spark', [file], { executors }) as [{ blocks: { locations: string[] }[] }]
        for (const location of blocks[0]!.locations) {
          const [, host, executor] = /^executor_([^_]+)_(.+)$/.exec(location)!
          expect(executors).toContainEqual({ node: host!.slice(2), host, id: executor })
        }
        expect(blocks[0]!.locations).toHaveLength(Math.min(3, nodes.length))
      }),
    )
  })

  test('of a question without blocks, all of it', () => {
    const whole = { ...hint('/a', { b: [0, 1], localhost: [0], c: [0], d: [1], e: [1], f: [] }), blocks: [] }
    expect(adapt('hadoop', [whole])).toMatchObject([{ locations: ['b', 'localhost', 'c'], blocks: [] }])
    expect(adapt('spark', [whole])).toMatchObject([{ locations: ['b', 'c', 'd'] }])
    const executors = [{ node: 'e', host: '10.0.0.1', id: '7' }]
    expect(adapt('spark', [whole], { executors })).toMatchObject([{ locations: ['executor_10.0.0.1_7'] }])
  })

  test('confs for spark-submit are words of a shell', () => {
    const adapter = new Adapters().of('spark-submit')
    const text = adapter.text!([hint("/a b's", { w: [0] })], {})
    expect(text).toContain('--conf spark.locality.wait=3s')
    expect(text).toContain(`--conf 'spark.kubernetes.executor.annotation.alluxio.org/inputs=/a b'\\''s'`)
    expect(text).not.toContain('spark.alluxio.warm')
    expect(adapter.adapt([hint('/c', { w: [] }), hint('/d', { w: [] })], {})).toMatchObject({
      'spark.locality.wait': '0s',
      'spark.scheduler.minRegisteredResourcesRatio': '1.0',
      'spark.sql.iceberg.locality.enabled': 'true',
      'spark.alluxio.warm': '/c,/d',
    })
  })
})

test('flink: unique first labels, no addresses', () => {
  const file = hint('/a', {
    'w1.rack1': [0],
    'w1.rack2': [0],
    '10.1.2.3': [0],
    'w2.rack1': [0, 1],
    '::1': [1],
  })
  expect(adapt('flink', [file])).toEqual({
    files: [
      {
        path: '/a',
        length: 2000,
        blocks: [
          { offset: 0, length: BLOCK, hosts: ['w2.rack1'] },
          { offset: BLOCK, length: BLOCK, hosts: ['w2.rack1'] },
        ],
      },
    ],
    dropped: expect.arrayContaining([
      { host: '10.1.2.3', why: expect.stringContaining('address') },
      { host: '::1', why: expect.stringContaining('address') },
      { host: 'w1.rack1', why: expect.stringContaining('called w1') },
      { host: 'w1.rack2', why: expect.stringContaining('called w1') },
    ]),
  })
})

describe('mesos', () => {
  const offers = ['h1', 'h2', 'h3'].map((hostname) => ({ id: { value: `o-${hostname}` }, hostname }))

  test('constraints on host names, wide again after the delay', () => {
    const constraint = (host: string) => ({
      attribute_constraints: [
        { selector: { pseudoattribute_type: 'HOSTNAME' }, predicate: { text_equals: { value: host } } },
      ],
    })
    expect(adapt('mesos', [hint('/a', { h1: [0], h2: [0] })], { role: 'r' })).toEqual({
      offer_constraints: { role_constraints: { r: { groups: [constraint('h1'), constraint('h2')] } } },
    })
    const wide = { offer_constraints: { role_constraints: {} } }
    expect(adapt('mesos', [hint('/a', { h1: [0] })], { waitedMs: 10_000 })).toEqual(wide)
    expect(adapt('mesos', [hint('/a', { h1: [0] })], { waitedMs: 6000 })).toEqual(wide)
    // Candidates that hold nothing are no places.
    expect(adapt('mesos', [hint('/a', { h1: [0], idle: [] })])).toEqual({
      offer_constraints: { role_constraints: { '*': { groups: [constraint('h1')] } } },
    })
  })

  test('from the hosts to their regions, to any', () => {
    const hints = [hint('/a', { h1: [0], h2: [0] })]
    const regions = ['h1', 'h2', 'other'].map((host, i) => ({ host, region: i < 2 ? 'near' : 'far' }))
    const at = (waitedMs: number) =>
      JSON.stringify(adapt('mesos', hints, { regions, waitedMs, delayMs: 1000 })).match(
        /HOSTNAME|REGION|near|far/g,
      )
    expect(at(499)).toEqual(['HOSTNAME', 'HOSTNAME'])
    expect(at(500)).toEqual(['REGION', 'near'])
    expect(at(1000)).toBeNull()
    expect(() => adapt('mesos', hints, { regions: ['near'], waitedMs: 5000 })).toThrow(/engine.regions/)
  })

  test('an offer with room for more takes more', () => {
    const inputs = ['/a', '/b', '/c'].map((path) => hint(path, { h1: [0] }))
    const { accept, decline } = rankOffers([{ ...offers[0]!, slots: 2 }, offers[1]!], inputs, { waitedMs: 0 })
    expect(accept.map(({ offer, path }) => `${offer} ${path}`)).toEqual(['o-h1 /a', 'o-h1 /b'])
    expect(decline).toEqual(['o-h2'])
    // Where all are as good, they share.
    const late = rankOffers(
      offers.map((offer) => ({ ...offer, slots: 2 })),
      inputs.map(({ path }) => hint(path, {})),
      { waitedMs: 10_000 },
    )
    expect(late.accept.map(({ hostname }) => hostname)).toEqual(['h1', 'h2', 'h3'])
  })

  test('the whole batch is judged: first the best pairs, then what the falling threshold lets through', () => {
    const inputs = [hint('/a', { h1: [0], h2: [0] }), hint('/b', { h1: [0] }), hint('/c', { x: [0] })]
    const at = (waitedMs: number) => rankOffers(offers, inputs, { waitedMs, delayMs: 1000 })
    expect(at(0).accept.map(({ offer, path }) => `${offer} ${path}`)).toEqual(['o-h1 /a'])
    expect(at(600).accept.map(({ offer, path }) => `${offer} ${path}`)).toEqual(['o-h1 /a'])
    const late = at(1000)
    expect(late.accept).toHaveLength(3)
    expect(late.decline).toEqual([])
    expect(at(0)).toMatchObject({ decline: ['o-h2', 'o-h3'], refuseSeconds: 0.2, threshold: 1 })
    const drained = offers.map((offer) => ({ ...offer, unavailability: {} }))
    expect(rankOffers(drained, inputs, { waitedMs: 9999 }).accept).toEqual([])
  })
})

test('kubernetes: few terms with weights of 1 to 100, and scores of 0 to 10 in capitals', () => {
  const hints = [hint('/a', Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`n${i}`, [0]])))]
  const terms = preferredTerms(hints)
  expect(terms.length).toBeLessThanOrEqual(5)
  for (const { weight } of terms) expect(weight >= 1 && weight <= 100).toBe(true)
  expect(terms[0]).toEqual({
    weight: 100,
    preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n0'] }] },
  })
  expect(adapt('kubernetes', hints)).toEqual(adapt('k8s', hints))
  expect(prioritize(['N0', 'n1', 'other'], hints)).toEqual([
    { Host: 'N0', Score: 10 },
    { Host: 'n1', Score: 5 },
    { Host: 'other', Score: 0 },
  ])
})

test('trino: true addresses or an affinity key, never both', () => {
  const [file] = adapt('trino', [hint('/a', { h1: [0], h2: [0], h3: [0] })]) as [{ splits: unknown[] }]
  expect(file.splits).toEqual([
    { offset: 0, length: BLOCK, addresses: ['h1', 'h2'], affinityKey: null },
    { offset: BLOCK, length: BLOCK, addresses: [], affinityKey: `/a:${BLOCK}:${BLOCK}` },
  ])
  const [unsure] = adapt('trino', [hint('/a', { h1: [0] }, 1)], { confidence: 0.95 }) as [
    { splits: unknown[] },
  ]
  expect(unsure.splits).toEqual([{ offset: 0, length: BLOCK, addresses: [], affinityKey: '/a:0:1000' }])
})

describe('adapters of third parties', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alluxio-adapter-'))
  const module = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  test('one module each; a broken one is named', async () => {
    const good = module(
      'good.mjs',
      'export default { summary: "s", adapt: (hints) => hints.map(({ path }) => path) }',
    )
    const adapters = await loadAdapters([`slurm=${good}`])
    expect(adapters.names).toContain('slurm')
    expect(adapters.of('slurm').adapt([hint('/a', { x: [0] })], {})).toEqual(['/a'])
    const bad = module('bad.mjs', 'export default {}')
    await expect(loadAdapters([`slurm=${bad}`])).rejects.toThrow(/has no function "adapt"/)
    await expect(loadAdapters(['slurm=./missing.mjs'])).rejects.toMatchObject({ reason: 'ADAPTER_BROKEN' })
    await expect(loadAdapters(['slurm'])).rejects.toThrow(/write name=module/)
    expect(() => new Adapters().of('slurm')).toThrow(/there are hadoop, spark, spark-submit, flink/)
    rmSync(folder, { recursive: true })
  })
})
