/** A cluster over Swift: calls counted by the server's access log, what is written seen by Swift's own interface. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { type SwiftServer, startSwift } from '../support/servers/swift.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const FILES = 1000
const { server: started, reason } = await ifAvailable(() => startSwift())
const server = started as SwiftServer
const suite = reason === undefined ? describe : describe.skip

suite(`a cluster over Swift${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let cluster: Cluster
  let fs: FileSystem
  beforeAll(async () => {
    cluster = await Cluster.start({ memory: '512MB', env: { SWIFT_PASSWORD: server.password } })
    fs = await cluster.connect()
    const options = server.options({
      'fs.swift.password': 'env:SWIFT_PASSWORD',
      'alluxio.underfs.swift.segment.size': '4MB',
    })
    await fs.mount('/swift', `swift://${server.container}/data`, { options })
  }, 120_000)
  afterAll(async () => {
    await cluster?.dispose()
    await started?.stop()
  })

  const seen = (path: string, method = 'HEAD') => server.ask(method, `/${server.container}/data/${path}`)
  const segments = async () => {
    const answer = await server.ask('GET', `/${server.container}_segments`)
    return answer.status === 200 ? (await answer.text()).split('\n').filter((name) => name !== '').length : 0
  }

  test('writes through, reads cold and warm, renames and deletes, small and large', async () => {
    for (const [name, length] of [
      ['small', 1000],
      ['large ü %', 10_000_000],
    ] as const) {
      const bytes = patternBytes(length, length)
      await writeWhole(fs, `/swift/dir/${name}`, bytes, 'CACHE_THROUGH')
      const stored = await seen(`dir/${encodeURIComponent(name)}`, 'GET')
      expect(Buffer.from(await stored.arrayBuffer()).equals(bytes)).toBe(true)
      await fs.free(`/swift/dir/${name}`)
      await server.calls()
      expect((await readWhole(fs, `/swift/dir/${name}`)).equals(bytes)).toBe(true)
      expect((await server.calls())['GET object']).toBeGreaterThan(0)
      expect((await readWhole(fs, `/swift/dir/${name}`)).equals(bytes)).toBe(true)
      expect(await server.calls()).toEqual({})
      await fs.rename(`/swift/dir/${name}`, `/swift/dir/moved ${name}`)
      expect((await seen(`dir/${encodeURIComponent(name)}`)).status).toBe(404)
      expect((await seen(`dir/${encodeURIComponent(`moved ${name}`)}`)).headers.get('content-length')).toBe(
        String(length),
      )
      await fs.free(`/swift/dir/moved ${name}`)
      expect((await readWhole(fs, `/swift/dir/moved ${name}`)).equals(bytes)).toBe(true)
    }
    expect(await segments()).toBe(3)
    await fs.rename('/swift/dir', '/swift/other')
    expect(await segments()).toBe(3)
    await fs.delete('/swift/other', { recursive: true })
    expect(await segments()).toBe(0)
    expect(await (await server.ask('GET', `/${server.container}?prefix=data/other`)).text()).toBe('')
  }, 120_000)

  test('a directory of 1,000 files: one page to list, one GET a file cold, none warm', async () => {
    let next = 0
    const lane = async () => {
      while (next < FILES) {
        const name = `f${String(next++).padStart(4, '0')}`
        const { status } = await server.ask('PUT', `/${server.container}/data/many/${name}`, { body: name })
        expect(status).toBe(201)
      }
    }
    await Promise.all(Array.from({ length: 16 }, lane))
    await fs.getStatus('/swift/many')
    await server.calls()
    const paths: string[] = []
    for await (const { path } of fs.list('/swift/many')) paths.push(path)
    expect(paths).toHaveLength(FILES)
    expect((await server.calls())['GET container']).toBe(1)
    const some = paths.slice(0, 200)
    for (const path of some) expect((await readWhole(fs, path)).toString()).toBe(path.slice(-5))
    expect((await server.calls())['GET object']).toBe(some.length)
    for (const path of some) expect((await readWhole(fs, path)).toString()).toBe(path.slice(-5))
    expect(await server.calls()).toEqual({})
    await server.calls()
    await fs.rename('/swift/many', '/swift/moved')
    const { 'COPY object': copies, 'POST account': deletes, 'GET container': pages } = await server.calls()
    // A look at the target, a page of 1,000, and one that finds nothing more.
    expect({ copies, deletes, pages }).toEqual({ copies: FILES, deletes: 1, pages: 3 })
    expect((await readWhole(fs, `/swift/moved/${some[0]!.slice(-5)}`)).toString()).toBe(some[0]!.slice(-5))
    await server.calls()
    await fs.delete('/swift/moved', { recursive: true })
    expect(await (await server.ask('GET', `/${server.container}?prefix=data/m`)).text()).toBe('')
    // One bulk delete, not one call a file.
    const deleting = await server.calls()
    expect(deleting['POST account']).toBe(1)
    expect(deleting['DELETE object'] ?? 0).toBeLessThan(5)
  }, 300_000)

  test('is cleaned in maintenance only', async () => {
    const uri = `swift://${server.container}`
    await expect(fs.admin.cleanUfs(uri)).rejects.toMatchObject({ code: 'CONFLICT', reason: 'UFS_MODE' })
    await expect(fs.admin.cleanUfs('swift://other')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await fs.admin.setUfsMode(uri, 'readOnly')
    expect(await fs.admin.cleanUfs(uri)).toEqual({ objects: 0, bytes: 0 })
    await fs.admin.setUfsMode(uri, 'readWrite')
  }, 60_000)

  test('a wrong password is refused at the mount, with what to do and without the secret', async () => {
    const options = server.options({ 'fs.swift.password': 'wrong-secret-canary-71' })
    const mounting = fs.mount('/denied', `swift://${server.container}/denied`, { options })
    await expect(mounting).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await expect(mounting).rejects.not.toMatchObject({ message: expect.stringContaining('canary') })
  })
})
