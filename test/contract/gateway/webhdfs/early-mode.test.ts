/** The mode of a file that is set before the worker has heard of the file. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Cluster } from '../../../support/cluster.ts'
import { exceptionOf, Hdfs } from './http.ts'

let cluster: Cluster
let hdfs: Hdfs
beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true })
  hdfs = new Hdfs(cluster.webHdfs, process.env.USER ?? 'root')
}, 120_000)
afterAll(() => cluster?.dispose())

test('waits for a file that was promised, and for no other', async () => {
  const user = process.env.USER ?? 'root'
  const url = `http://${cluster.webHdfs}/webhdfs/v1/job.xml?op=CREATE&user.name=${user}`
  const promised = await fetch(url, { method: 'PUT', redirect: 'manual' })
  const early = hdfs.call('PUT', '/job.xml', 'SETPERMISSION', { permission: '640' })
  await pause(100)
  const made = await fetch(promised.headers.get('location')!, { method: 'PUT', body: 'x' })
  expect([made.status, (await early).status]).toEqual([201, 200])
  expect(await hdfs.status('/job.xml')).toMatchObject({ permission: '640', length: 1 })
  const started = performance.now()
  const none = await hdfs.call('PUT', '/none', 'SETPERMISSION', { permission: '640' })
  expect(exceptionOf(none)).toBe('FileNotFoundException')
  expect(performance.now() - started).toBeLessThan(1000)
})
