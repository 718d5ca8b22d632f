import { describe, expect, test } from '@jest/globals'
import { Adapters, type PathHint } from '../index.ts'

/** Scores fall in the order of the hosts. */
function hint(path: string, hosts: readonly string[], cold = false): PathHint {
  return {
    path,
    length: 1000,
    cold,
    blocks: [],
    hosts: hosts.map((host, i) => ({
      host,
      score: 1 / (i + 1),
      bytes: { MEM: cold ? 0 : 1000, SSD: 0, HDD: 0 },
      load: 0,
      confidence: 0.9,
      reason: '',
    })),
  }
}

const adapt = (name: string, hints: readonly PathHint[], facts = {}) =>
  new Adapters().of(name).adapt(hints, facts)
const HINTS = [hint('/a', ['h1', 'h2']), hint('/b', ['h2'])]

test('yarn: soft requests of their own priority, and one boolean attribute', () => {
  expect(adapt('yarn', HINTS, { priority: 5, nodes: 1, racks: [{ host: 'h1', rack: '/r1' }] })).toEqual({
    containerRequests: [
      {
        path: '/a',
        priority: 5,
        allocationRequestId: 1,
        nodes: ['h1', 'h2'],
        racks: ['/r1'],
        relaxLocality: true,
      },
      { path: '/b', priority: 6, allocationRequestId: 2, nodes: ['h2'], racks: [], relaxLocality: true },
    ],
    nodeAttributes: ['h2:alluxio-cache=true'],
    command: 'yarn nodeattributes -add "h2:alluxio-cache=true"',
  })
  expect(() => adapt('yarn', HINTS, { priority: 'high' })).toThrow(/engine.priority/)
})

describe('yarn-service', () => {
  test('a container on each of the marked nodes, and how to mark them', () => {
    expect(adapt('yarn-service', HINTS)).toEqual({
      name: 'near-data',
      version: '1.0.0',
      description:
        'Beside /a, /b. The nodes are marked by: yarn nodeattributes -add "h2:alluxio-cache=true h1:alluxio-cache=true"',
      components: [
        {
          name: 'task',
          number_of_containers: 2,
          launch_command: 'sleep 3600',
          resource: { cpus: 1, memory: '1024' },
          placement_policy: {
            constraints: [
              {
                name: 'beside-data',
                type: 'AFFINITY',
                scope: 'NODE',
                node_attributes: { 'rm.yarn.io/alluxio-cache': ['true'] },
              },
            ],
          },
        },
      ],
    })
  })

  test('facts; cold data is asked for at its stable place', () => {
    const facts = {
      name: 'scan',
      command: 'exec scan /a',
      containers: 4,
      memory: 256,
      attribute: 'nm.yarn.io/hot',
    }
    expect(adapt('yarn-service', [hint('/a', ['h3', 'h1'], true)], facts)).toMatchObject({
      name: 'scan',
      description: expect.stringContaining('provider script'),
      components: [
        {
          number_of_containers: 4,
          launch_command: 'exec scan /a',
          resource: { memory: '256' },
          placement_policy: { constraints: [{ node_attributes: { 'nm.yarn.io/hot': ['true'] } }] },
        },
      ],
    })
    expect(adapt('yarn', [hint('/a', ['h3', 'h1'], true)], { attribute: 'nm.yarn.io/hot' })).toMatchObject({
      command: 'yarn nodeattributes -add "h3:hot=true"',
    })
    for (const wrong of [
      { name: 'No' },
      { command: 'two\nlines' },
      { attribute: 'a b' },
      { containers: 'x' },
    ])
      expect(() => adapt('yarn-service', HINTS, wrong)).toThrow(/^engine\.\w+ is no/)
  })
})
