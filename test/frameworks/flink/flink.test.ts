/** Flink on alluxio://: its own suites for file systems and writers, and jobs on a cluster of real processes, also when those die. */
import { lookup } from 'node:dns/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { Cluster, type Daemon } from '../../support/cluster.ts'
import { guideBlock } from '../../support/guide.ts'
import { Flink, flinkJars } from '../../support/servers/flink.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { complete, type ServerProcess, scratchFolder } from '../../support/servers/process.ts'
import { writeWhole } from '../../support/whole-file.ts'
import { textOf } from '../mapreduce/jobs.ts'
import { guideSettings, jobsMaven, pluginJar } from './jobs.ts'

const { reason } = await ifAvailable(flinkJars)
const suite = reason === undefined ? describe : describe.skip
const AWAY_MS = 3000
const BLOCK_BYTES = 2 ** 20
/** More than a job comes to write before it is ended. */
const NUMBERS = 4_000_000

suite(`Flink${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = scratchFolder('flink-jobs')
  const jobs = join(folder.path, 'flink-jobs.jar')
  let cluster: Cluster
  let fs: FileSystem
  let root: string
  let plugin: string
  let flink: Flink
  let taskManager: ServerProcess
  /** Of the worker. */
  let host: string | undefined

  beforeAll(async () => {
    plugin = await pluginJar()
    host = await nameOfLoopback()
    cluster = await Cluster.start({
      proxy: true,
      properties: {
        'alluxio.user.block.size.bytes.default': String(BLOCK_BYTES),
        ...(host === undefined ? {} : { 'alluxio.worker.hostname': host }),
      },
    })
    fs = await cluster.connect()
    for (const line of guideBlock('flink', 'write-through').trim().split('\n')) {
      const [binary, ...args] = line.split(' ')
      await complete({ binary: resolve(binary!), args: [...args, ...cluster.flags], env: cluster.env })
    }
    root = `alluxio://${cluster.webHdfs}`
    await maven('package', '-DskipTests')
    flink = await Flink.start({
      plugins: [plugin],
      properties: {
        ...guideSettings(cluster),
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': '1000',
        'restart-strategy.fixed-delay.delay': '500ms',
        'execution.checkpointing.tolerable-failed-checkpoints': '1000',
      },
    })
    taskManager = await flink.addTaskManager()
  }, 600_000)

  afterAll(async () => {
    await flink?.stop()
    await cluster?.dispose()
    folder.remove()
  })

  const maven = (...args: readonly string[]) =>
    jobsMaven(folder.path, plugin, `-Dalluxio.uri=${root}`, ...args)

  /** Files below a folder: what readers see, and what they pass over. */
  async function files(path: string): Promise<{ seen: string[]; hidden: string[] }> {
    const all: string[] = []
    if (await fs.exists(path))
      for await (const entry of fs.list(path, { recursive: true })) if (!entry.folder) all.push(entry.path)
    const isHidden = (file: string) => /\/[._]/.test(file)
    return { seen: all.filter((file) => !isHidden(file)), hidden: all.filter(isHidden) }
  }

  async function sortedLines(path: string): Promise<string[]> {
    const lines: string[] = []
    for (const file of (await files(path)).seen)
      lines.push(...(await textOf(fs, file)).split('\n').filter((line) => line !== ''))
    return lines.sort()
  }

  /** Ends the job with all it has read, and looks for each number of its two readers once. */
  async function expectEachOnce(job: string, path: string): Promise<void> {
    await flink.drain(job, 'alluxio:///savepoints')
    const numbers = (await sortedLines(path)).map((line) => Number(line.slice(0, 7)))
    const middle = numbers.findIndex((number) => number >= NUMBERS / 2)
    expect(numbers).toEqual(numbers.map((_, i) => (i < middle ? i : NUMBERS / 2 + i - middle)))
    expect(Math.min(middle, numbers.length - middle)).toBeGreaterThan(1000)
  }

  async function finished(job: string): Promise<void> {
    await flink.until(job, async () => (await flink.state(job)) === 'FINISHED')
  }

  /** Waits for so many checkpoints more. */
  async function checkpoints(job: string, more: number): Promise<void> {
    const before = await flink.completedCheckpoints(job)
    await flink.until(job, async () => (await flink.completedCheckpoints(job)) >= before + more)
  }

  /** Waits until a file is open over several checkpoints, which is when a kill hurts. */
  async function openOverCheckpoints(job: string, path: string): Promise<void> {
    await flink.until(job, async () => (await files(path)).hidden.some((file) => file.includes('.segments/')))
  }

  test("the plug-in's own tests", async () => {
    const only = ['-Dtest=alluxio/flink/*Test', '-Dsurefire.failIfNoSpecifiedTests=false']
    const args = ['-B', '-f', resolve('plugins/pom.xml'), '-pl', 'flink', '-am', ...only, 'test']
    const printed = await complete({ binary: 'mvn', args, timeoutMs: 400_000 })
    expect(printed).toMatch(/Failures: 0, Errors: 0, Skipped: 0, Time.* in alluxio\.flink\.ExactlyOnceTest/)
  }, 400_000)

  test("Flink's suites for file systems and for recoverable writers; splits and callers", async () => {
    await fs.mkdir('/flink-callers', { mode: 0o777 })
    const asked = `http://${cluster.webHdfs}/webhdfs/v1/?op=GETDELEGATIONTOKEN&user.name=ann&renewer=ann`
    const { Token } = (await (await fetch(asked)).json()) as { Token: { urlString: string } }
    const facts = { host: host ?? '', block: BLOCK_BYTES, token: Token.urlString }
    await maven(...Object.entries(facts).map(([key, value]) => `-Dalluxio.${key}=${value}`), 'surefire:test')
    const reports = join(folder.path, 'surefire-reports')
    const counts = readdirSync(reports)
      .filter((name) => name.endsWith('.xml'))
      .map((name) => {
        const head = /<testsuite [^>]*>/.exec(readFileSync(join(reports, name), 'utf8'))![0]
        return ['tests', 'errors', 'failures', 'skipped'].map((key) =>
          Number(new RegExp(` ${key}="(\\d+)"`).exec(head)![1]),
        )
      })
    const owners = ['user', 'token'].map(async (file) => (await fs.getStatus(`/flink-callers/${file}`)).owner)
    expect(await Promise.all(owners)).toEqual(['bob', 'ann'])
    expect(counts.sort(([a], [b]) => a! - b!)).toEqual([
      [1, 0, 0, 0],
      [2, 0, 0, 0],
      [11, 0, 0, 0],
      [19, 0, 0, 0],
    ])
  }, 400_000)

  test('batch: words of text files are counted into a FileSink', async () => {
    const expected = new Map<string, number>()
    for (let file = 0; file < 4; file++) {
      const lines = Array.from(
        { length: 20_000 },
        (_, i) => `word${(i * 7 + file) % 1000} of file${file} and more words`,
      )
      for (const word of lines.join(' ').split(' ')) expected.set(word, (expected.get(word) ?? 0) + 1)
      await writeWhole(fs, `/words/in/text-${file}`, Buffer.from(lines.join('\n')), 'MUST_CACHE')
    }
    const args = ['alluxio:///words/in', 'alluxio:///words/out']
    const job = await flink.submit({ jar: jobs, main: 'jobs.WordCount', args })
    await finished(job)
    expect(await sortedLines('/words/out')).toEqual([...expected].map(([word, n]) => `${word} ${n}`).sort())
    expect((await files('/words/out')).hidden).toEqual([])
  }, 300_000)

  test('streaming: each number once, although TaskManagers, proxy, worker and master are killed', async () => {
    const args = [`${root}/out/numbers`, String(NUMBERS), '2000']
    const job = await flink.submit({ jar: jobs, main: 'jobs.Numbers', args })
    const killTaskManager = async () => {
      await openOverCheckpoints(job, '/out/numbers')
      await taskManager.kill()
      taskManager = await flink.addTaskManager()
    }
    const away = async (daemon: Daemon) => {
      await daemon.kill('SIGKILL')
      await pause(AWAY_MS)
      await daemon.start()
    }
    await checkpoints(job, 3)
    await killTaskManager()
    for (const daemon of [cluster.proxy!, cluster.workers[0]!, cluster.master]) {
      await checkpoints(job, 3)
      await away(daemon)
    }
    await checkpoints(job, 3)
    await killTaskManager()
    await checkpoints(job, 3)
    expect(await flink.restarts(job)).toBeGreaterThanOrEqual(2)
    await expectEachOnce(job, '/out/numbers')
  }, 400_000)

  test('streaming: a job goes on from its newest checkpoint after the JobManager was killed', async () => {
    const job = { jar: jobs, main: 'jobs.Numbers', args: ['alluxio:///out/again', String(NUMBERS), '2000'] }
    const first = await flink.submit(job)
    await checkpoints(first, 5)
    await openOverCheckpoints(first, '/out/again')
    // The TaskManager learns of it late: until then the old job's tasks go on.
    await flink.restartJobManager()
    const { hidden } = await files(`/checkpoints/${first}`)
    const newest = hidden
      .map((file) => /chk-(\d+)\/_metadata$/.exec(file)?.[1])
      .reduce((most, number) => Math.max(most, Number(number ?? 0)), 0)
    const from = `alluxio:///checkpoints/${first}/chk-${newest}`
    const second = await flink.submit({ ...job, from })
    await checkpoints(second, 3)
    await expectEachOnce(second, '/out/again')
  }, 400_000)
})

/** The name of this host, if it leads to where the worker listens; an address is not told to Flink. */
async function nameOfLoopback(): Promise<string | undefined> {
  const found = await lookup(hostname(), { family: 4 }).catch(() => undefined)
  return found?.address === '127.0.0.1' && /^[a-z]/i.test(hostname()) ? hostname() : undefined
}
