/** Hadoop's own acceptance suite, 311 tests, through each way in; the jar also with Hadoop 3.3, whose suite has 272. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster } from '../../support/cluster.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { javaAndMaven } from '../../support/servers/maven.ts'
import { hadoopJar } from '../gateways.ts'
import { EXPECTED_FAILURES, OF_HADOOP_3_3 } from './expected-failures.ts'
import { runContractSuite } from './suite.ts'

const USER = 'alice'
const { reason } = await ifAvailable(async () => {
  await javaAndMaven()
  return { stop: async () => {} }
})
let cluster: Cluster

beforeAll(async () => {
  if (reason !== undefined) return
  cluster = await Cluster.start({ proxy: true, memory: '512MB' })
  const fs = await cluster.connect()
  // The tests run as one to whom permissions mean something, and remove their folder each time.
  await fs.setAttribute('/', { mode: 0o777 })
}, 120_000)
afterAll(() => cluster?.dispose())

const suite = reason === undefined ? describe : describe.skip
suite(`Hadoop's contract${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each([
    ['webhdfs', '3.4', 311],
    ['alluxio', '3.4', 311],
    ['alluxio', '3.3', 272],
  ] as const)(
    '%s, Hadoop %s',
    async (scheme, hadoop, count) => {
      const jar = scheme === 'alluxio' ? { jar: await hadoopJar() } : {}
      const { tests, skipped, failed } = await runContractSuite({
        uri: `${scheme}://${cluster.webHdfs}`,
        user: USER,
        hadoop,
        ...jar,
      })
      const known = [...EXPECTED_FAILURES[scheme], ...(hadoop === '3.3' ? OF_HADOOP_3_3 : [])]
      const expected = new Set(known.map((failure) => failure.test))
      const unexpected = [...failed].filter(([name]) => !expected.has(name))
      expect(unexpected).toEqual([])
      expect([...expected].filter((name) => !failed.has(name))).toEqual([])
      expect(tests).toBe(count)
      expect(skipped).toBeLessThanOrEqual(20)
    },
    1_200_000,
  )
})
