import { beforeEach, describe, expect, test } from '@jest/globals'
import { makeWorld, type World } from '../../../../test/support/namespace.ts'
import { systemRuntime } from '../../../core/index.ts'
import type { Call, DelegationInfo, Infer } from '../../../rpc/index.ts'
import { Callers } from './callers.ts'
import { GatewayService } from './gateway-service.ts'
import { UserGroups } from './user-groups.ts'

const HOUR = 3600_000
let nowMs = 1_700_000_000_000
const runtime = { ...systemRuntime, now: () => nowMs, monotonic: () => nowMs }
const as = (user: string) => ({ peer: { user } }) as unknown as Call
const root = as('root')

let world: World
let service: GatewayService
const open = () => {
  service = new GatewayService({ ...world, callers: new Callers(new UserGroups({ runtime })), runtime })
}
beforeEach(async () => {
  world = await makeWorld({}, runtime)
  open()
})

/** What a handler answers, without the forms that carry bytes beside it. */
async function told<T>(reply: unknown): Promise<T> {
  return (await reply) as T
}
type Token = Infer<typeof DelegationInfo>
const keyNow = () => told<{ key: Uint8Array }>(service.key({}, root))
const renewed = async (sequence: number) =>
  (await told<{ endsMs: number }>(service.renewDelegation({ sequence, renewer: 'yarn' }, root))).endsMs

async function delegate(owner = 'alice', renewer = 'yarn') {
  return (await told<{ token: Token }>(service.delegate({ owner, renewer, realUser: '' }, root))).token
}

async function find(sequence: number) {
  return (await told<{ token?: Token }>(service.delegation({ sequence }, root))).token
}

describe('what gateways keep at the master', () => {
  test('the key is one, also for callers at once and after a crash', async () => {
    const keys = await Promise.all([keyNow(), keyNow()])
    expect(keys[0]!.key).toHaveLength(32)
    expect(Buffer.from(keys[1]!.key).equals(keys[0]!.key)).toBe(true)
    await world.crash()
    open()
    expect(Buffer.from((await keyNow()).key).equals(keys[0]!.key)).toBe(true)
  })

  test('nothing of it is for others than the superuser', async () => {
    const call = as('nobody-of-note')
    const { sequence } = await delegate()
    for (const ask of [
      async () => service.key({}, call),
      async () => service.delegate({ owner: 'root', renewer: '', realUser: '' }, call),
      async () => service.delegation({ sequence }, call),
      async () => service.renewDelegation({ sequence, renewer: 'yarn' }, call),
      async () => service.cancelDelegation({ sequence, user: 'alice' }, call),
      async () => service.lease({ path: '/f', holder: 'a', ms: 1000 }, call),
    ])
      await expect(ask()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })
})

describe('a delegation token', () => {
  test('ends after a day, is put off by its renewer, and ends for good after a week', async () => {
    const { sequence, issuedMs } = await delegate()
    for (let day = 1; day <= 6; day++) {
      nowMs = issuedMs + day * (24 * HOUR - 1000)
      expect(await renewed(sequence)).toBe(nowMs + 24 * HOUR)
    }
    nowMs = issuedMs + 6.9 * 24 * HOUR
    expect(await renewed(sequence)).toBe(issuedMs + 7 * 24 * HOUR)
    nowMs = issuedMs + 7 * 24 * HOUR - 1
    expect(await find(sequence)).toMatchObject({ owner: 'alice' })
    nowMs++
    expect(await find(sequence)).toBeUndefined()
    await expect(service.renewDelegation({ sequence, renewer: 'yarn' }, root)).rejects.toMatchObject({
      reason: 'INVALID_TOKEN',
    })
  })

  test('ends after a day by itself', async () => {
    const { sequence } = await delegate()
    nowMs += 24 * HOUR
    expect(await find(sequence)).toBeUndefined()
  })

  test('is renewed and cancelled by those who may; what was done outlives a crash', async () => {
    const [kept, gone, unrenewable] = [await delegate(), await delegate(), await delegate('alice', '')]
    for (const renewer of ['alice', 'root', ''])
      await expect(service.renewDelegation({ sequence: kept.sequence, renewer }, root)).rejects.toMatchObject(
        {
          code: 'PERMISSION_DENIED',
        },
      )
    await expect(
      service.renewDelegation({ sequence: unrenewable.sequence, renewer: '' }, root),
    ).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(
      service.cancelDelegation({ sequence: gone.sequence, user: 'bob' }, root),
    ).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
    await service.cancelDelegation({ sequence: gone.sequence, user: 'alice' }, root)
    await world.crash()
    open()
    expect(await find(gone.sequence)).toBeUndefined()
    expect(await find(kept.sequence)).toEqual(kept)
    expect((await delegate()).sequence).toBeGreaterThan(unrenewable.sequence)
  })
})

describe('a lease', () => {
  const lease = async (holder: string, ms = 30_000, path = '/f') => service.lease({ path, holder, ms }, root)

  test('is for one holder, until it is given back or has ended', async () => {
    await lease('a')
    await expect(lease('b')).rejects.toMatchObject({ code: 'CONFLICT', reason: 'LEASE_HELD' })
    await lease('b', 30_000, '/g')
    nowMs += 20_000
    await lease('a')
    nowMs += 20_000
    await expect(lease('b')).rejects.toMatchObject({ reason: 'LEASE_HELD' })
    await lease('a', 0)
    await lease('b')
    nowMs += 30_001
    await lease('a')
    // Whoever has lost it cannot give it back for the other one.
    await expect(lease('b', 0)).rejects.toMatchObject({ reason: 'LEASE_HELD' })
  })
})
