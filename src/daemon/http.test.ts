import { afterEach, describe, expect, it } from '@jest/globals'
import { type DaemonState, isAlluxioError, Metrics, silentLog } from '../core/index.ts'
import { HttpDoor, type HttpDoorModules } from './http.ts'

describe('the HTTP door', () => {
  const doors: HttpDoor[] = []
  afterEach(async () => {
    for (const door of doors.splice(0)) await door.stop()
  })
  async function open(modules: Partial<HttpDoorModules> = {}, port = 0, host = '127.0.0.1') {
    const metrics = new Metrics()
    metrics.counter('alluxio_worker_reads_total', 'Reads.').add(3)
    const door = new HttpDoor(
      { host, port, allowRemote: false },
      { metrics, log: silentLog, state: () => 'serving', ...modules },
    )
    doors.push(door)
    await door.start()
    return door
  }

  it('serves metrics, health, and nothing else', async () => {
    let state: DaemonState = 'serving'
    const door = await open({ state: () => state })
    const url = `http://127.0.0.1:${door.port}`
    const metrics = await fetch(`${url}/metrics`)
    expect(metrics.headers.get('content-type')).toContain('version=0.0.4')
    expect(await metrics.text()).toContain('alluxio_worker_reads_total 3')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    state = 'draining'
    const health = await fetch(`${url}/healthz`)
    expect([health.status, await health.json()]).toEqual([503, { state: 'draining' }])
    expect((await fetch(`${url}/other`)).status).toBe(404)
  })

  it('hands other paths to the daemon, and outlives its faults', async () => {
    const door = await open({
      route: (_request, response, path) => {
        if (path === '/bad') return JSON.parse('{')
        if (path !== '/mine') return false
        response.end('mine')
        return true
      },
    })
    const url = `http://127.0.0.1:${door.port}`
    expect(await (await fetch(`${url}/mine?x=1`)).text()).toBe('mine')
    expect((await fetch(`${url}/bad`)).status).toBe(500)
    expect((await fetch(`${url}/mine`)).status).toBe(200)
  })

  it('says which port is taken', async () => {
    const door = await open()
    const error = await open({}, door.port).catch((e: unknown) => e)
    expect(isAlluxioError(error, 'UNAVAILABLE') && error.reason).toBe('ADDRESS_IN_USE')
    doors.pop()
  })

  it('refuses what is not loopback', async () => {
    const error = await open({}, 0, '0.0.0.0').catch((e: unknown) => e)
    doors.pop()
    expect(isAlluxioError(error, 'PERMISSION_DENIED')).toBe(true)
  })
})
