/** `alluxio mesos run` against a real Mesos 1.11 master and agents: where commands run, and what happens when things go wrong. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../support/cluster.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { Mesos } from '../../support/servers/mesos.ts'

/** Two of them hold data; the third is in another region. */
const AGENTS = [
  { hostname: 'node-1', region: 'near' },
  { hostname: 'node-2', region: 'near' },
  { hostname: 'node-3', region: 'far' },
]
const HOSTS = ['127.0.0.1', '127.0.0.2']

interface Result {
  readonly frameworkId: string
  readonly local: number
  readonly missing?: string
  readonly tasks: readonly {
    readonly path: string
    readonly host: string
    readonly placement: string
    readonly state: string
    readonly taskId: string
    readonly waitedMs: number
    readonly message: string
  }[]
}

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

const { server, reason } = await ifAvailable(() => Mesos.start(AGENTS, 'cpus:2;mem:512;disk:100'))
const mesos = server as Mesos
const suite = reason === undefined ? describe : describe.skip
let cluster: Cluster
const folder = mkdtempSync(join(tmpdir(), 'alluxio-mesos-test-'))

beforeAll(async () => {
  if (server === undefined) return
  // Workers by address, agents by name: hints join them.
  writeFileSync(join(folder, 'aliases'), '127.0.0.1=node-1\n127.0.0.2=node-2\n')
  cluster = await Cluster.start({
    workers: 2,
    properties: { 'alluxio.hints.host.aliases': join(folder, 'aliases') },
    workerProperties: (i) => ({
      'alluxio.worker.hostname': HOSTS[i]!,
      'alluxio.worker.bind.host': HOSTS[i]!,
    }),
  })
})
afterAll(async () => {
  await cluster?.dispose()
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Files that the worker of one host holds. */
async function write(host: number, ...paths: readonly string[]): Promise<void> {
  const writer = await cluster.connect({
    'alluxio.user.block.write.location.policy.class': 'SpecificHost',
    'alluxio.user.block.location.policy.specific.host': HOSTS[host]!,
  })
  for (const [i, path] of paths.entries()) {
    const file = await writer.create(path, { recursive: true })
    await file.write(patternBytes(i, 2 ** 20))
    await file.close()
  }
}

function start(
  args: readonly string[],
  { master = mesos.url, flags = cluster.flags }: { master?: string; flags?: readonly string[] } = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const words = ['mesos', 'run', '--json', ...flags, '--master', master, ...args]
  const child = spawn(resolve('bin/alluxio'), words, { env: { ...process.env, ...cluster.env } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = new Promise<Ended>((done) =>
    child.once('close', (status) => done({ status, stdout, stderr })),
  )
  return { child, ended }
}

async function run(args: readonly string[], options: Parameters<typeof start>[1] = {}): Promise<Result> {
  const { status, stdout, stderr } = await start(args, options).ended
  if (status !== 0) throw new Error(`ended with ${status}: ${stderr}\n${stdout}\n${mesos.output}`)
  return JSON.parse(stdout) as Result
}

/** What Mesos itself says of each task: input -> host name of its agent. */
async function placesOf({ frameworkId, tasks }: Result): Promise<Record<string, string>> {
  const { slaves, completed_frameworks: over } = await mesos.state()
  const known = over.find(({ id }) => id === frameworkId)!.completed_tasks
  const hostOf = (taskId: string) => {
    const agent = known.find(({ id }) => id === taskId)!.slave_id
    return slaves.find(({ id }) => id === agent)!.hostname
  }
  return Object.fromEntries(tasks.map(({ path, taskId }) => [path, hostOf(taskId)]))
}

const SMALL = ['--cpus', '0.5', '--mem', '64MB']

/** Leads to the master; `cut` breaks all connections. */
async function door(url: string): Promise<{ url: string; cut: () => void; server: Server }> {
  const { hostname, port } = new URL(url)
  const open = new Set<Socket>()
  const server = createServer((from) => {
    const to = dial(Number(port), hostname)
    for (const socket of [from, to]) {
      open.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          open.delete(socket)
          from.destroy()
          to.destroy()
        })
    }
    from.pipe(to)
    to.pipe(from)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const own = (server.address() as { port: number }).port
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return { url: `http://127.0.0.1:${own}`, cut, server }
}

async function maintain(machines: readonly { hostname: string; ip: string }[]): Promise<void> {
  const start = { nanoseconds: (Date.now() + 600_000) * 1e6 }
  const unavailability = { start, duration: { nanoseconds: 600e9 } }
  const windows = machines.length === 0 ? [] : [{ machine_ids: machines, unavailability }]
  await mesos.operator({
    type: 'UPDATE_MAINTENANCE_SCHEDULE',
    update_maintenance_schedule: { schedule: { windows } },
  })
}

async function inverseAnswer(): Promise<string | undefined> {
  const { get_maintenance_status: answer } = await mesos.operator<{
    get_maintenance_status: {
      status: { draining_machines?: { statuses?: { status: string }[] }[] }
    }
  }>({ type: 'GET_MAINTENANCE_STATUS' })
  return answer.status.draining_machines?.[0]?.statuses?.[0]?.status
}

suite('mesos run', () => {
  test('each command runs on the agent beside its input', async () => {
    expect((await mesos.state()).version).toBe('1.11.0')
    await write(0, '/in/a1', '/in/a2', '/in/a3')
    await write(1, '/in/b1', '/in/b2')
    const log = join(folder, 'ran')
    const result = await run([
      ...SMALL,
      ...['--inputs', '/in/*', '--delay', '60s', '--', 'sh', '-c', `echo "$ALLUXIO_INPUT" {} >> ${log}`],
    ])
    const places: Record<string, string> = {
      '/in/a1': 'node-1',
      '/in/a2': 'node-1',
      '/in/a3': 'node-1',
      '/in/b1': 'node-2',
      '/in/b2': 'node-2',
    }
    expect(result.missing).toBeUndefined()
    for (const task of result.tasks) {
      expect(task).toMatchObject({ host: places[task.path], placement: 'LOCAL', attempts: 1 })
    }
    expect(result).toMatchObject({ local: 5 })
    expect(await placesOf(result)).toEqual(places)
    for (const task of result.tasks) {
      expect(task).toMatchObject({ state: 'FINISHED', placement: 'LOCAL' })
      expect(task.waitedMs).toBeLessThan(20_000)
    }
    const lines = readFileSync(log, 'utf8').trim().split('\n').sort()
    expect(lines).toEqual(Object.keys(places).map((path) => `${path} ${path}`))
  })

  test('the master is asked for offers of the hosts with data, wider later; what finds no room goes elsewhere', async () => {
    await write(0, '/full/a', '/full/b')
    const { ended } = start([
      ...['--cpus', '2', '--mem', '64MB', '--inputs', '/full/a,/full/b', '--delay', '6s', '--name', 'full'],
      ...['--', 'sleep', '9'],
    ])
    const seen = new Set<string>()
    let isOver = false
    void ended.then(() => {
      isOver = true
    })
    while (!isOver) {
      const { frameworks } = await mesos.state()
      const ours = frameworks.find(({ name }) => name === 'full')
      for (const word of JSON.stringify(ours?.offer_constraints ?? {}).match(/node-\d|near|far/g) ?? [])
        seen.add(word)
      await pause(200)
    }
    const { status, stdout, stderr } = await ended
    expect(`${status} ${stderr}`).toBe('0 ')
    const { tasks } = JSON.parse(stdout) as Result
    const [first, second] = [...tasks].sort((a, b) => a.waitedMs - b.waitedMs)
    expect(first).toMatchObject({ host: 'node-1', placement: 'LOCAL' })
    expect(second).toMatchObject({ placement: 'REMOTE', state: 'FINISHED' })
    expect(second!.host).not.toBe('node-1')
    expect(second!.waitedMs).toBeGreaterThan(4000)
    expect([...seen].sort()).toEqual(['near', 'node-1'])
  })

  test('a scheduler that was killed goes on as the same framework, and no command runs twice', async () => {
    await write(0, '/again/a', '/again/b', '/again/c')
    const log = join(folder, 'again')
    const args = [
      ...['--cpus', '1', '--mem', '64MB', '--inputs', '/again/a,/again/b,/again/c', '--delay', '60s'],
      ...['--state', join(folder, 'state'), '--', 'sh', '-c', `sleep 3; echo {} >> ${log}`],
    ]
    const first = start(args)
    const state = () => JSON.parse(readFileSync(join(folder, 'state'), 'utf8')) as Result
    for (let tries = 0; ; tries++) {
      await pause(50)
      try {
        if (state().tasks.filter(({ state: is }) => is === 'RUNNING').length === 2) break
      } catch {
        // Not written yet.
      }
      if (tries > 400) throw new Error('nothing began')
    }
    // The call that begins them has to be out.
    await pause(500)
    first.child.kill('SIGKILL')
    await first.ended
    const before = state()
    const result = await run(args)
    expect(result.frameworkId).toBe(before.frameworkId)
    expect(result.tasks.map(({ state: is }) => is)).toEqual(['FINISHED', 'FINISHED', 'FINISHED'])
    expect(readFileSync(log, 'utf8').trim().split('\n').sort()).toEqual(['/again/a', '/again/b', '/again/c'])
  })

  test('a stream that breaks is opened again, and what happened meanwhile is told', async () => {
    await write(1, '/cut/a')
    const broken = await door(mesos.url)
    try {
      const { ended } = start([...SMALL, '--inputs', '/cut/a', '--name', 'cut', '--', 'sleep', '3'], {
        master: broken.url,
      })
      const ours = async () => (await mesos.state()).frameworks.find(({ name }) => name === 'cut')
      while ((await ours())?.tasks[0]?.state !== 'TASK_RUNNING') await pause(50)
      const { id } = (await ours())!
      broken.cut()
      const { status, stdout, stderr } = await ended
      expect({ status, words: stderr.includes('not subscribed') }).toEqual({ status: 0, words: true })
      expect(JSON.parse(stdout)).toMatchObject({
        frameworkId: id,
        tasks: [{ state: 'FINISHED', host: 'node-2' }],
      })
    } finally {
      broken.server.close()
      broken.cut()
    }
  })

  test('without the hint service it goes on, and says why', async () => {
    const flags = ['-Dalluxio.master.rpc.port=1', '-Dalluxio.user.rpc.retry.max.duration=1s']
    const result = await run([...SMALL, '--inputs', '/in/a1,/in/b1', '--', 'true'], { flags })
    expect(result.missing).toMatch(/^no hints: /)
    expect(result.tasks).toMatchObject([
      { placement: 'UNKNOWN', state: 'FINISHED' },
      { placement: 'UNKNOWN', state: 'FINISHED' },
    ])
  })

  test('a command that fails ends the run with 1, and is not begun again', async () => {
    const { status, stdout } = await start([...SMALL, '--inputs', '/in/a1', '--', 'sh', '-c', 'exit 3']).ended
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ tasks: [{ state: 'FAILED', taskId: '0-1' }] })
  })

  test('nothing is begun on an agent whose maintenance is near, and its inverse offer is accepted', async () => {
    await write(0, '/kept/a')
    const { ended } = start([...SMALL, '--inputs', '/kept/a', '--name', 'kept', '--', 'sleep', '6'])
    const kept = async () => (await mesos.state()).frameworks.find(({ name }) => name === 'kept')
    while ((await kept())?.tasks[0]?.state !== 'TASK_RUNNING') await pause(50)
    await maintain([{ hostname: 'node-1', ip: '127.0.0.1' }])
    try {
      for (let tries = 0; (await inverseAnswer()) !== 'ACCEPT'; tries++) {
        if (tries > 100) throw new Error(`the inverse offer is ${await inverseAnswer()}`)
        await pause(100)
      }
      const result = await run([...SMALL, '--inputs', '/in/a1', '--delay', '1s', '--', 'true'])
      expect(result.tasks).toMatchObject([{ placement: 'REMOTE', state: 'FINISHED' }])
      expect((await ended).status).toBe(0)
    } finally {
      await maintain([])
    }
  })
})
