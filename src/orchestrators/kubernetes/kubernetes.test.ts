import { describe, expect, test } from '@jest/globals'
import type { PathHint } from '../../client/index.ts'
import { AlluxioError, silentLog, systemRuntime } from '../../core/index.ts'
import { HintSource } from '../hint-source.ts'
import { Admission } from './admission.ts'
import { checkedArgs, Extender } from './extender.ts'
import { NodePlaces } from './node-places.ts'
import type { PatchOperation, Pod } from './objects.ts'
import { holdMs, inputsOf } from './pod-inputs.ts'

const NODE_LABEL = 'kubernetes.io/hostname'

/** Hosts and the bytes that they hold of every path; asked for by candidates they are called so. */
function placesWith(held: Readonly<Record<string, number>>, failure?: Error): NodePlaces {
  const rank = async (
    paths: readonly string[],
    { candidates = [] }: { candidates?: readonly string[] } = {},
  ) => {
    if (failure !== undefined) throw failure
    const names = candidates.length > 0 ? candidates : Object.keys(held)
    const hosts = names
      .map((host) => ({ host, bytes: held[host] ?? 0 }))
      .sort((a, b) => b.bytes - a.bytes)
      .map(({ host, bytes }) => ({
        ...{ host, score: 0.1 + bytes / 100, load: 0, confidence: 1, reason: '' },
        bytes: { MEM: bytes, SSD: 0, HDD: 0 },
      }))
    return paths.map((path): PathHint => ({ path, length: 100, cold: false, blocks: [], hosts }))
  }
  const source = new HintSource({ timeoutMs: 1000 }, { hints: { rank }, runtime: systemRuntime })
  const modules = { source, api: undefined, runtime: systemRuntime, log: silentLog }
  return new NodePlaces({ nodeLabel: NODE_LABEL }, modules)
}

const podWith = (annotations: Record<string, string>, more: Partial<Pod['spec']> = {}, labels = {}): Pod => ({
  metadata: { name: 'p', annotations, labels },
  spec: more,
})
const INPUT = { 'alluxio.org/inputs': '/a' }
const nodeOf = (name: string, address: string) => ({
  metadata: { name, labels: { [NODE_LABEL]: `label-${name}` } },
  status: { addresses: [{ type: 'InternalIP', address }] },
})

describe('annotations', () => {
  test.each([
    ['/a, /b,/a', ['/a', '/b']],
    ['["/with, comma", "/b"]', ['/with, comma', '/b']],
    ['alluxio:///a', ['/a']],
    ['', []],
  ])('%j', (text, paths) => {
    expect(inputsOf(podWith({ 'alluxio.org/inputs': text }))).toEqual(paths)
  })

  test.each(['relative', '[1]', '[', '/a/../..', `/${'x'.repeat(70_000)}`])('%.20j is refused', (text) => {
    expect(() => inputsOf(podWith({ 'alluxio.org/inputs': text }))).toThrow(/alluxio.org\/inputs/)
  })

  test('a pod may be held for less than the most, never longer', () => {
    const held = (text: string) => holdMs(podWith({ 'alluxio.org/hold': text }), 60_000)
    expect([held('true'), held('5s'), held('1h'), held('false')]).toEqual([60_000, 5000, 60_000, undefined])
    expect(() => held('soon')).toThrow(/alluxio.org\/hold/)
  })
})

describe('extender', () => {
  const missing: string[] = []
  const extender = (held: Record<string, number>, failure?: Error) =>
    new Extender({ places: placesWith(held, failure), onMissing: (why) => missing.push(why) })
  const nodes = { items: [nodeOf('n1', '10.0.0.1'), nodeOf('n2', '10.0.0.2'), nodeOf('n3', '10.0.0.3')] }

  test('names alone come back as names, nodes as nodes, found by any of their names', async () => {
    const required = podWith({ ...INPUT, 'alluxio.org/locality': 'required' })
    const byName = { Pod: required, Nodes: null, NodeNames: ['n1', 'n2'] }
    expect(await extender({ n2: 50 }).filter(byName)).toEqual({
      Nodes: null,
      NodeNames: ['n2'],
      FailedNodes: {},
      FailedAndUnresolvableNodes: { n1: 'alluxio: holds nothing of /a' },
      Error: '',
    })
    const whole = await extender({ '10.0.0.3': 50, 'label-n1': 10 }).filter({ Pod: required, Nodes: nodes })
    expect(whole.Nodes?.items).toEqual([nodes.items[0], nodes.items[2]])
    expect(whole.NodeNames).toBeNull()
    expect(Object.keys(whole.FailedAndUnresolvableNodes)).toEqual(['n2'])
    expect(await extender({ '10.0.0.3': 50 }).prioritize({ Pod: podWith(INPUT), Nodes: nodes })).toEqual([
      { Host: 'n1', Score: 0 },
      { Host: 'n2', Score: 0 },
      { Host: 'n3', Score: 10 },
    ])
  })

  test('filters nobody that need not be, where nobody holds anything, and without hints', async () => {
    const args = { Pod: podWith(INPUT), NodeNames: ['n1', 'n2'] }
    const required = { ...args, Pod: podWith({ ...INPUT, 'alluxio.org/locality': 'required' }) }
    expect((await extender({ n1: 1 }).filter(args)).NodeNames).toEqual(['n1', 'n2'])
    expect((await extender({}).filter(required)).NodeNames).toEqual(['n1', 'n2'])
    const away = extender({}, new AlluxioError('UNAVAILABLE', 'the master is away'))
    missing.length = 0
    expect((await away.filter(required)).NodeNames).toEqual(['n1', 'n2'])
    expect(await away.prioritize(args)).toEqual([
      { Host: 'n1', Score: 0 },
      { Host: 'n2', Score: 0 },
    ])
    expect(missing).toEqual(Array(2).fill('no hints: the master is away'))
  })

  test('what is no ExtenderArgs is refused', () => {
    for (const value of [null, {}, { Pod: {} }, { Pod: { metadata: {} }, NodeNames: [1] }])
      expect(() => checkedArgs(value)).toThrow(/no ExtenderArgs/)
  })
})

describe('admission', () => {
  const admit = async (pod: Pod, { holds = true, failure }: { holds?: boolean; failure?: Error } = {}) => {
    const admission = new Admission(
      { nodeLabel: NODE_LABEL, maxHoldMs: 60_000, holds },
      { places: placesWith({ n1: 50, n2: 20 }, failure), onMissing: () => {} },
    )
    const { response } = await admission.review({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'u',
        operation: 'CREATE',
        resource: { group: '', resource: 'pods' },
        object: pod,
      },
    })
    expect(response).toMatchObject({ uid: 'u', allowed: true })
    const { patch, warnings = [] } = response
    const operations = patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString())
    return { operations: operations as PatchOperation[], warnings }
  }
  const term = (weight: number, ...values: string[]) => ({
    weight,
    preference: { matchExpressions: [{ key: NODE_LABEL, operator: 'In', values }] },
  })
  const terms = [term(100, 'n1'), term(60, 'n2')]
  const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

  test('preferences are added to what a pod has', async () => {
    expect((await admit(podWith(INPUT))).operations).toEqual([
      { op: 'add', path: '/spec/affinity', value: { nodeAffinity: { [PREFERRED]: terms } } },
    ])
    expect((await admit(podWith(INPUT, { affinity: {} }))).operations).toMatchObject([
      { path: '/spec/affinity/nodeAffinity', value: { [PREFERRED]: terms } },
    ])
    const own = term(1, 'x')
    const before = { affinity: { nodeAffinity: { [PREFERRED]: [own] } } }
    expect((await admit(podWith(INPUT, before))).operations).toEqual([
      { op: 'add', path: `/spec/affinity/nodeAffinity/${PREFERRED}`, value: [own, ...terms] },
    ])
    expect((await admit(podWith({}))).operations).toEqual([])
    expect((await admit(podWith(INPUT, { nodeName: 'n9' }))).operations).toEqual([])
  })

  test('a pod that asks for it is held, and one that is wrong or without hints comes in with a warning', async () => {
    const held = await admit(podWith({ ...INPUT, 'alluxio.org/hold': 'true' }))
    expect(held.operations).toEqual([
      { op: 'add', path: '/metadata/labels/alluxio.org~1held', value: 'true' },
      { op: 'add', path: '/spec/schedulingGates', value: [{ name: 'alluxio.org/warm' }] },
    ])
    const unable = await admit(podWith({ ...INPUT, 'alluxio.org/hold': 'true' }), { holds: false })
    expect(unable.operations).toHaveLength(1)
    expect(unable.warnings).toEqual([expect.stringContaining('not held')])
    expect(await admit(podWith({ 'alluxio.org/inputs': 'nowhere' }))).toEqual({
      operations: [],
      warnings: [expect.stringContaining('alluxio.org/inputs')],
    })
    const failure = new AlluxioError('NOT_FOUND', '/a does not exist')
    expect(await admit(podWith(INPUT), { failure })).toEqual({
      operations: [],
      warnings: ['alluxio: /a does not exist'],
    })
  })
})
