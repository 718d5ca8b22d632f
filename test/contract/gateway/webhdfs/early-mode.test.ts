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

test('what is set of a file while it is overwritten is of the new one, and of no later one', async () => {
  const user = process.env.USER ?? 'root'
  await hdfs.write('/replaced', Buffer.from('old'), { permission: '644' })
  const url = `http://${cluster.webHdfs}/webhdfs/v1/replaced?op=CREATE&overwrite=true&permission=600&user.name=${user}`
  const overwrite = async (meanwhile: () => Promise<unknown>, target = (location: string) => location) => {
    const redirected = await fetch(url, { method: 'PUT', redirect: 'manual' })
    await meanwhile()
    return (await fetch(target(redirected.headers.get('location')!), { method: 'PUT', body: 'new one' }))
      .status
  }
  expect(
    await overwrite(async () => {
      await hdfs.call('PUT', '/replaced', 'SETPERMISSION', { permission: '755' })
      await hdfs.call('PUT', '/replaced', 'SETOWNER', { owner: 'somebody' })
      await hdfs.call('PUT', '/replaced', 'SETTIMES', { accesstime: '123456' })
    }),
  ).toBe(201)
  const changed = { permission: '755', owner: 'somebody', accessTime: 123_456, length: 7 }
  expect(await hdfs.status('/replaced')).toMatchObject(changed)
  expect(await overwrite(async () => {})).toBe(201)
  expect(await hdfs.status('/replaced')).toMatchObject({ permission: '600', owner: user })
  // It is signed: nobody makes a file the property of others by it.
  const forged = Buffer.from(JSON.stringify([1, 0, 'x', 'y', 0])).toString('base64url')
  const spoil = (location: string) =>
    location.replace(/alluxio\.replaced=[^&]*/, `alluxio.replaced=${forged}`)
  expect(await overwrite(async () => {}, spoil)).toBe(403)
})
