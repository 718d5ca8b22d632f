import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { HintWorld, hintedFile, RATES, splitsOf, wholeFile } from '../../test/support/hints.ts'
import { memberHash, rendezvousScore, type WorkerId } from '../core/index.ts'
import type { HostHint, PathHint } from './index.ts'

const MB = 2 ** 20

function ask(world: HintWorld, file: ReturnType<typeof hintedFile>, query = {}): PathHint {
  return world.hints.answer([wholeFile(file)], query, world.nowMs)[0]!
}

describe('hints', () => {
  test('a rank is the sum over the blocks, however they came to be there', () => {
    const operation = fc.record({
      worker: fc.integer({ min: 1, max: 5 }),
      block: fc.integer({ min: 0, max: 5 }),
      tier: fc.integer({ min: -1, max: 2 }),
    })
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 0, max: 5 }),
        (operations, loads, lost) => {
          const world = new HintWorld()
          // Workers 4 and 5 share a host.
          for (let id = 1; id <= 5; id++)
            world.worker(id, id === 5 ? 'host-4' : `host-${id}`).load = loads[id - 1]!
          const file = { ...hintedFile(9, 6, MB), length: 5 * MB + 100 }
          const held = new Map<string, number>()
          for (const { worker, block, tier } of operations) {
            if (tier < 0) {
              world.blocks.remove(worker as WorkerId, (file.fileId * 2 ** 20 + block) as never)
              held.delete(`${worker}/${block}`)
            } else {
              world.hold(worker, file, block, tier)
              held.set(`${worker}/${block}`, tier)
            }
          }
          if (lost > 0) {
            world.lose(lost)
            for (const key of [...held.keys()]) if (key.startsWith(`${lost}/`)) held.delete(key)
          }
          const hint = ask(world, file)
          expect(hint.cold).toBe(held.size === 0)
          if (hint.cold) return
          const hosts = [1, 2, 3, 4].map((host) => {
            const bytes = [0, 0, 0]
            let remote = 0
            let cached = 0
            for (let block = 0; block < 6; block++) {
              const size = block === 5 ? 100 : MB
              const tiers = (ids: number[]) => ids.flatMap((id) => held.get(`${id}/${block}`) ?? [])
              const anywhere = Math.min(...tiers([1, 2, 3, 4, 5]))
              if (anywhere === Number.POSITIVE_INFINITY) continue
              cached += size
              const here = Math.min(...tiers(host === 4 ? [4, 5] : [host]))
              if (here < 3) bytes[here]! += size
              else remote += size / Math.min(RATES.remote, RATES.tiers[anywhere]!)
            }
            const load = [1, 2, 3, 4, 5]
              .filter((id) => (host === 4 ? id >= 4 : id === host) && id !== lost)
              .reduce((sum, id) => sum + loads[id - 1]!, 0)
            const own = bytes.reduce((sum, held, tier) => sum + held / RATES.tiers[tier]!, 0)
            const seconds = (file.length - cached) / RATES.store + own * (1 + load / 8) + remote
            const [MEM, SSD, HDD] = bytes
            return {
              host: `host-${host}`,
              bytes: { MEM, SSD, HDD },
              seconds,
              local: bytes.some((n) => n > 0),
            }
          })
          const expected = hosts.filter(({ local }) => local)
          const byName = (a: { host: string }, b: { host: string }) => (a.host < b.host ? -1 : 1)
          expect(hint.hosts.map(({ host, bytes }) => ({ host, bytes })).sort(byName)).toEqual(
            expected.map(({ host, bytes }) => ({ host, bytes })).sort(byName),
          )
          const secondsOf = ({ host }: HostHint) => expected.find((other) => other.host === host)!.seconds
          const order = hint.hosts.map(secondsOf)
          for (let i = 1; i < order.length; i++)
            expect(order[i]!).toBeGreaterThanOrEqual(order[i - 1]! - 1e-12)
          for (const host of hint.hosts) {
            expect(host.score).toBeCloseTo(file.length / RATES.tiers[0] / secondsOf(host), 5)
            expect(host.score).toBeLessThanOrEqual(1)
          }
          expect(hint.blocks.map(({ offset, length }) => [offset, length])).toEqual(
            [0, 1, 2, 3, 4, 5].map((i) => [i * MB, i === 5 ? 100 : MB]),
          )
        },
      ),
    )
  })

  test('a storm of registrations has hosts collected now and then, and all are there soon', () => {
    const world = new HintWorld()
    const file = hintedFile(3, 1)
    const beganMs = world.nowMs
    let collected = 0
    const all = world.all.bind(world)
    world.all = () => {
      collected++
      return all()
    }
    for (let id = 1; id <= 300; id++) {
      world.worker(id).heardMonotonicMs = beganMs
      // One each millisecond.
      world.nowMs = beganMs + id
      world.hold(id, file, 0)
      ask(world, file)
    }
    expect(collected).toBeLessThan(10)
    world.nowMs += 100
    expect(ask(world, file, { top: 1000 }).hosts).toHaveLength(300)
  })

  test('of many candidates the best come first, as if each had been asked about alone', () => {
    const held = fc.array(
      fc.record({
        worker: fc.integer({ min: 1, max: 8 }),
        block: fc.integer({ min: 0, max: 3 }),
        tier: fc.integer({ min: 0, max: 2 }),
      }),
      { minLength: 1, maxLength: 12 },
    )
    const names = Array.from({ length: 8 }, (_, i) => `host-${i + 1}`)
    const asked = fc.shuffledSubarray([...names, 'nobody', 'a-stranger'], { minLength: 1 })
    const loads = fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(held, asked, loads, fc.integer({ min: 0, max: 10 }), (replicas, candidates, load, top) => {
        const world = new HintWorld()
        for (let id = 1; id <= 8; id++) world.worker(id).load = load[id - 1]!
        const file = hintedFile(4, 4, MB)
        for (const { worker, block, tier } of replicas) world.hold(worker, file, block, tier)
        const alone = candidates.map((name) => ask(world, file, { candidates: [name] }).hosts[0]!)
        const whole = ask(world, file, { candidates }).hosts
        const { hosts } = ask(world, file, { candidates, top })
        expect(hosts).toEqual(whole.slice(0, top))
        const byName = (a: HostHint, b: HostHint) => (a.host < b.host ? -1 : 1)
        expect([...whole].sort(byName)).toEqual(alone.sort(byName))
        for (let i = 1; i < whole.length; i++)
          expect(whole[i]!.score).toBeLessThanOrEqual(whole[i - 1]!.score)
        // Those that hold nothing take the same time: hosts with workers first, then by name.
        const others = whole.filter(({ bytes }) => bytes.MEM + bytes.SSD + bytes.HDD === 0)
        const strangers = others.filter(({ confidence }) => confidence === 0)
        const known = others.filter(({ confidence }) => confidence > 0)
        expect(others).toEqual([...known.sort(byName), ...strangers.sort(byName)])
      }),
    )
  })

  test('a range counts the bytes in it only', () => {
    const world = new HintWorld()
    world.worker(1)
    const file = hintedFile(3, 4, MB)
    for (let i = 0; i < 4; i++) world.hold(1, file, i)
    const parts = [{ file, offset: MB - 10, length: MB + 20 }]
    const [hint] = world.hints.answer([{ path: file.path, length: file.length, parts }], {}, world.nowMs)
    expect(hint!.hosts[0]!.bytes.MEM).toBe(MB + 20)
    expect(hint!.blocks.map(({ offset, length }) => [offset, length])).toEqual([
      [MB - 10, 10],
      [MB, MB],
      [2 * MB, 10],
    ])
  })

  test('a busy host gives way to an idle one, and a disk here to memory there', () => {
    const world = new HintWorld()
    const busy = world.worker(1)
    world.worker(2)
    const file = hintedFile(3, 2)
    for (let i = 0; i < 2; i++) for (const id of [1, 2]) world.hold(id, file, i)
    expect(ask(world, file).hosts.map(({ host }) => host)).toEqual(['host-1', 'host-2'])
    busy.load = 3
    world.nowMs += 100
    expect(ask(world, file).hosts.map(({ host }) => host)).toEqual(['host-2', 'host-1'])
    expect(ask(world, file).hosts[1]!.reason).toContain('3 open streams')
    world.worker(3)
    world.hold(2, file, 0, 2)
    world.hold(2, file, 1, 2)
    // Memory across the network is faster than the disk here, busy or not.
    expect(ask(world, file, { candidates: ['host-2', 'host-3'] }).hosts.map(({ host }) => host)).toEqual([
      'host-3',
      'host-2',
    ])
  })

  test('what is told ages; a worker that is silent for longer than its timeout is named no more', () => {
    const world = new HintWorld({ timeoutMs: 1000 })
    const worker = world.worker(1)
    const file = hintedFile(3, 1)
    world.hold(1, file, 0)
    world.nowMs += 250
    expect(ask(world, file)).toMatchObject({
      blocks: [{ hosts: [{ host: 'host-1', freshMs: 250 }] }],
      hosts: [{ confidence: 0.75 }],
    })
    worker.registering = true
    world.nowMs += 100
    expect(ask(world, file).hosts[0]!.confidence).toBe(0.325)
    // Nobody has looked for lost workers yet.
    world.nowMs += 651
    expect(ask(world, file)).toMatchObject({ cold: true, hosts: [] })
    worker.heardMonotonicMs = world.nowMs
    world.nowMs += 100
    expect(ask(world, file)).toMatchObject({ cold: false, hosts: [{ host: 'host-1' }] })
  })

  test('a clock that stands behind the last report makes nobody younger than now', () => {
    const world = new HintWorld()
    world.worker(1).heardMonotonicMs = world.nowMs + 5000
    const file = hintedFile(3, 1)
    world.hold(1, file, 0)
    expect(ask(world, file)).toMatchObject({
      blocks: [{ hosts: [{ freshMs: 0 }] }],
      hosts: [{ confidence: 1 }],
    })
  })

  test('cold data has a stable place: it moves only off a worker that goes and onto one that comes', () => {
    const world = new HintWorld()
    for (let id = 1; id <= 20; id++) world.worker(id)
    const places = () =>
      Array.from({ length: 500 }, (_, i) => ask(world, hintedFile(1000 + i, 3)).hosts.map(({ host }) => host))
    const before = places()
    expect(new Set(before.map(([first]) => first)).size).toBe(20)
    // As clients of policy DeterministicHash choose.
    const best = [...world.all()]
      .map(({ address: { uuid, host } }) => ({
        host,
        score: rendezvousScore(1000 * 2 ** 20, memberHash(uuid)),
      }))
      .sort((a, b) => b.score - a.score)
    expect(before[0]).toEqual(best.slice(0, 3).map(({ host }) => host))
    world.lose(7)
    const without = places()
    for (const [i, [first]] of before.entries())
      if (first === 'host-7') expect(without[i]![0]).toBe(before[i]![1])
      else expect(without[i]![0]).toBe(first)
    world.worker(21)
    for (const [i, [first]] of places().entries()) if (first !== 'host-21') expect(first).toBe(without[i]![0])
    expect(ask(world, hintedFile(1000, 3), { candidates: ['host-3', 'nowhere'] }).hosts).toMatchObject([
      { host: 'host-3', reason: 'nothing is cached: its stable place' },
      { host: 'nowhere', confidence: 0 },
    ])
  })

  test('hosts are known by all of their names; a name of several is refused, unless somebody decided', () => {
    const world = new HintWorld({ aliases: 'w1.example = w1, 10.0.0.1\n' })
    world.worker(1, '10.0.0.1', ['pod-1', '192.168.0.1', 'shared', 'localhost'])
    world.worker(2, 'w2', ['pod-2', 'shared', 'localhost'])
    const file = hintedFile(3, 1)
    world.hold(1, file, 0)
    expect(ask(world, file).hosts[0]!.host).toBe('w1.example')
    for (const name of ['W1', 'w1.EXAMPLE', '10.0.0.1', 'pod-1', '192.168.0.1']) {
      const [best] = ask(world, file, { candidates: ['w2', name] }).hosts
      expect([best!.host, best!.bytes.MEM]).toEqual([name, file.length])
    }
    expect(ask(world, file, { candidates: ['w1', 'pod-1'] }).hosts).toHaveLength(1)
    expect(() => ask(world, file, { candidates: ['shared'] })).toThrow(/several hosts, w1.example and w2/)
    expect(ask(world, file, { candidates: ['localhost'] }).hosts[0]!.confidence).toBe(0)
    const decided = new HintWorld({ aliases: 'a = shared' })
    decided.worker(1, 'a', ['shared'])
    decided.worker(2, 'b', ['shared'])
    decided.hold(2, file, 0)
    expect(ask(decided, file, { candidates: ['shared'] }).hosts[0]!.bytes.MEM).toBe(0)
  })

  test('a worker that registers again keeps its place in answers all the while', () => {
    const world = new HintWorld()
    world.worker(1)
    const file = hintedFile(3, 2)
    for (let i = 0; i < 2; i++) world.hold(1, file, i)
    const whole = () => ask(world, file).hosts[0]?.bytes.MEM ?? 0
    expect(whole()).toBe(file.length)
    world.blocks.beginRegistration(1 as WorkerId)
    expect(whole()).toBe(file.length)
    world.hold(1, file, 0)
    expect(whole()).toBe(file.length)
    world.blocks.endRegistration(1 as WorkerId)
    expect(whole()).toBe(file.length / 2)
  })
})

describe('plans', () => {
  const world = () => {
    const made = new HintWorld()
    for (let id = 1; id <= 8; id++) made.worker(id)
    return made
  }
  const replicas = fc.array(
    fc.record({
      file: fc.integer({ min: 2, max: 6 }),
      block: fc.integer({ min: 0, max: 4 }),
      worker: fc.integer({ min: 1, max: 8 }),
      tier: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 60 },
  )
  const files = [2, 3, 4, 5, 6].map((id) => hintedFile(id, 5))

  test('every split once, no host above its slots, local only where it is held, the same for any order of the question', () => {
    fc.assert(
      fc.property(
        replicas,
        fc.option(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 6, maxLength: 6 }), {
          nil: undefined,
        }),
        fc.integer({ min: 0, max: 8 }),
        fc.nat(),
        (held, slots, lost, shuffle) => {
          const cluster = world()
          for (const { file, block, worker, tier } of held)
            cluster.hold(worker, files[file - 2]!, block, tier)
          if (lost > 0) cluster.lose(lost)
          const splits = files.flatMap(splitsOf)
          const hosts = slots?.map((n, i) => ({ host: `host-${i + 2}`, slots: n }))
          const plan = cluster.hints.assign(splits, hosts === undefined ? {} : { hosts }, cluster.nowMs)
          const turned = [...splits.slice(shuffle % 25), ...splits.slice(0, shuffle % 25)].reverse()
          const other = cluster.hints.assign(
            turned,
            hosts === undefined ? {} : { hosts: [...hosts].reverse() },
            cluster.nowMs,
          )
          const key = ({ path, offset }: { path: string; offset: number }) => `${path}:${offset}`
          const bySplit = (a: { path: string; offset: number }, b: { path: string; offset: number }) =>
            key(a) < key(b) ? -1 : 1
          expect([...other.splits].sort(bySplit)).toEqual([...plan.splits].sort(bySplit))
          expect(plan.splits.map(key)).toEqual(
            splits.map(({ file, offset }) => key({ path: file.path, offset })),
          )
          const count = new Map<string, number>()
          for (const { host } of plan.splits) count.set(host, (count.get(host) ?? 0) + 1)
          const live = lost > 0 ? 7 : 8
          const share = Math.ceil((1.1 * splits.length) / live)
          for (const [host, n] of count) {
            if (host === '') continue
            expect(n).toBeLessThanOrEqual(
              hosts === undefined ? share : hosts.find((h) => h.host === host)!.slots,
            )
            if (hosts === undefined && lost > 0) expect(host).not.toBe(`host-${lost}`)
          }
          const room = hosts?.reduce((sum, h) => sum + h.slots, 0) ?? splits.length
          expect(plan.splits.filter(({ placement }) => placement === 'NONE')).toHaveLength(
            Math.max(0, splits.length - room),
          )
          expect(plan.local).toBe(plan.splits.filter(({ placement }) => placement === 'LOCAL').length)
          for (const { host, placement, localBytes, alternates, path, offset } of plan.splits) {
            const holders = held
              .filter((r) => `/f${r.file}` === path && r.block * 2 ** 26 === offset && r.worker !== lost)
              .map(({ worker }) => `host-${worker}`)
            if (placement === 'LOCAL') expect(holders).toContain(host)
            expect(localBytes > 0).toBe(placement === 'LOCAL')
            expect(new Set([host, ...alternates]).size).toBe(alternates.length + 1)
            for (const alternate of alternates) expect(holders).toContain(alternate)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  test('cold splits go to their stable places within the share', () => {
    const cluster = world()
    const splits = splitsOf(hintedFile(77, 400))
    const plan = cluster.hints.assign(splits, {}, cluster.nowMs)
    expect(plan.splits.every(({ placement }) => placement === 'COLD')).toBe(true)
    expect(Math.max(...plan.hosts.map((host) => host.splits))).toBeLessThanOrEqual(55)
    const first = splits.filter(({ file, offset, length }, i) => {
      const parts = [{ file, offset, length }]
      const [hint] = cluster.hints.answer([{ path: '/', length, parts }], {}, cluster.nowMs)
      return hint!.hosts[0]!.host === plan.splits[i]!.host
    })
    expect(first.length).toBeGreaterThan(340)
  })

  test('no host gets more bytes than it has room for; larger splits are placed first', () => {
    const cluster = world()
    const file = { ...hintedFile(5, 4, 100), length: 320 }
    for (let i = 0; i < 4; i++) cluster.hold(1, file, i)
    const hosts = [
      { host: 'host-1', slots: 9, bytes: 230 },
      { host: 'host-2', slots: 9, bytes: 99 },
      { host: 'host-3', slots: 9, bytes: 105 },
    ]
    const plan = cluster.hints.assign(splitsOf(file), { hosts }, cluster.nowMs)
    expect(plan.splits.map(({ length, host, placement }) => [length, host, placement])).toEqual([
      [100, 'host-1', 'LOCAL'],
      [100, 'host-1', 'LOCAL'],
      [100, 'host-3', 'OVERFLOW'],
      [20, 'host-1', 'LOCAL'],
    ])
    expect(
      cluster.hints.assign(splitsOf(file), { hosts: hosts.slice(0, 2) }, cluster.nowMs).splits[2],
    ).toMatchObject({
      host: '',
      placement: 'NONE',
    })
  })

  test('what its holders have no room for goes to their rack first, then to the least loaded', () => {
    const cluster = world()
    const file = hintedFile(5, 6)
    for (let i = 0; i < 6; i++) cluster.hold(1, file, i)
    const hosts = [
      { host: 'host-1', slots: 2, rack: 'b' },
      { host: 'host-2', slots: 8 },
      { host: 'host-3', slots: 8, rack: 'a' },
      { host: 'host-4', slots: 2, rack: 'b' },
      { host: 'host-5', slots: 1, rack: 'b' },
    ]
    const plan = cluster.hints.assign(splitsOf(file), { hosts }, cluster.nowMs)
    expect(plan.hosts.map(({ host, splits }) => [host, splits])).toEqual([
      ['host-1', 2],
      ['host-2', 1],
      ['host-4', 2],
      ['host-5', 1],
    ])
  })

  test('nobody to assign to is an error that says so', () => {
    const empty = new HintWorld()
    expect(() => empty.hints.assign(splitsOf(hintedFile(2, 1)), {}, empty.nowMs)).toThrow(/no worker is live/)
  })
})
