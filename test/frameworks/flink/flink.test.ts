/** Flink on alluxio://: its own suites for file systems and writers, and jobs on a cluster of real processes, also when those die. */
import { readdirSync, readFileSync } from 'node:fs'
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

const { reason } = await ifAvailable(flinkJars)
const suite = reason === undefined ? describe : describe.skip
const AWAY_MS = 3000

suite(`Flink${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = scratchFolder('flink-jobs')
  const jobs = join(folder.path, 'flink-jobs.jar')
  let cluster: Cluster
  let fs: FileSystem
  let root: string
  let plugin: string
  let flink: Flink
  let taskManager: ServerProcess

  beforeAll(async () => {
    plugin = await pluginJar()
    cluster = await Cluster.start({
      proxy: true,
      // What a checkpoint counts on has to outlive a worker.
      properties: {
        'alluxio.user.file.writetype.default': 'CACHE_THROUGH',
        'alluxio.user.block.size.bytes.default': '1MB',
      },
    })
    fs = await cluster.connect()
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

  function maven(...args: readonly string[]): Promise<string> {
    const pom = resolve('test/frameworks/flink/jobs/pom.xml')
    const where = [`-Dbuild.folder=${folder.path}`, `-Dalluxio.jar=${plugin}`, `-Dalluxio.uri=${root}`]
    return complete({ binary: 'mvn', args: ['-q', '-B', '-f', pom, ...where, ...args], timeoutMs: 400_000 })
  }

  /** Lines of all files below a folder that readers see, sorted; and whether any file is hidden. */
  async function output(path: string): Promise<{ lines: string[]; hidden: string[] }> {
    const lines: string[] = []
    const hidden: string[] = []
    for await (const entry of fs.list(path, { recursive: true })) {
      if (entry.folder) continue
      const name = entry.path.slice(path.length + 1)
      if (/(^|\/)[._]/.test(name)) hidden.push(name)
      else lines.push(...(await textOf(fs, entry.path)).split('\n').filter((line) => line !== ''))
    }
    return { lines: lines.sort(), hidden }
  }

  test("the plug-in's own tests", async () => {
    const only = ['-Dtest=alluxio.flink.*', '-Dsurefire.failIfNoSpecifiedTests=false']
    const args = ['-q', '-B', '-f', resolve('plugins/pom.xml'), '-pl', 'flink', '-am', ...only, 'test']
    await complete({ binary: 'mvn', args, timeoutMs: 400_000 })
  }, 400_000)

  test("Flink's suites for file systems and for recoverable writers", async () => {
    await maven('surefire:test')
    const reports = join(folder.path, 'surefire-reports')
    const counts = readdirSync(reports)
      .filter((name) => name.endsWith('.xml'))
      .map((name) => {
        const head = /<testsuite [^>]*>/.exec(readFileSync(join(reports, name), 'utf8'))![0]
        return ['tests', 'errors', 'failures', 'skipped'].map((key) =>
          Number(new RegExp(` ${key}="(\\d+)"`).exec(head)![1]),
        )
      })
    expect(counts.sort()).toEqual([
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
    await flink.until(job, async () => (await flink.state(job)) === 'FINISHED')
    const { lines, hidden } = await output('/words/out')
    expect(lines).toEqual([...expected].map(([word, count]) => `${word} ${count}`).sort())
    expect(hidden).toEqual([])
  }, 300_000)

  test('streaming: each number once, although TaskManagers, proxy, worker and master are killed', async () => {
    const count = 40_000
    const args = [`${root}/out/numbers`, String(count), '2000']
    const job = await flink.submit({ jar: jobs, main: 'jobs.Numbers', args })
    /** So many checkpoints more: files that were begun before are open, and some are published. */
    const checkpoints = async (more: number) => {
      const before = await flink.completedCheckpoints(job)
      await flink.until(job, async () => (await flink.completedCheckpoints(job)) >= before + more)
    }
    const away = async (daemon: Daemon) => {
      await daemon.kill('SIGKILL')
      await pause(AWAY_MS)
      await daemon.start()
    }
    const recovered = async () => {
      await flink.until(job, async () =>
        (await output('/out/numbers')).hidden.some((name) => name.includes('.segments/')),
      )
      await taskManager.kill()
      taskManager = await flink.addTaskManager()
    }
    await checkpoints(3)
    await recovered()
    for (const daemon of [cluster.proxy!, cluster.workers[0]!, cluster.master]) {
      await checkpoints(3)
      await away(daemon)
    }
    await checkpoints(3)
    await recovered()
    await flink.until(job, async () => (await flink.state(job)) === 'FINISHED')

    expect(await flink.restarts(job)).toBeGreaterThanOrEqual(2)
    const { lines } = await output('/out/numbers')
    const numbers = lines.map((line) => Number(line.slice(0, 7)))
    expect(numbers).toEqual(Array.from({ length: count }, (_, i) => i))
  }, 400_000)
})

/** config.yaml of the guide. */
function guideSettings({ webHdfs }: Cluster): Record<string, string> {
  const lines = guideBlock('flink', 'config.yaml', { '127.0.0.1:39870': webHdfs }).trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]))
}

/** Path of the plug-in, built if it is not there. @throws Error without a JDK or Maven */
async function pluginJar(): Promise<string> {
  await complete({ binary: resolve('bin/alluxio'), args: ['plugins', 'build', 'flink'], timeoutMs: 600_000 })
  return resolve('plugins/dist/alluxio-flink.jar')
}
