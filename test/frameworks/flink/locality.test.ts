/** Which TaskManager reads which file, when files appear while the job runs: with the assigner of the plug-in, and with Flink's own. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../src/client/index.ts'
import { Cluster } from '../../support/cluster.ts'
import { Flink, flinkJars } from '../../support/servers/flink.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { HERE, scratchFolder } from '../../support/servers/process.ts'
import { writeWhole } from '../../support/whole-file.ts'
import { guideSettings, jobsMaven, pluginJar } from './jobs.ts'

const { reason } = await ifAvailable(flinkJars)
const suite = reason === undefined ? describe : describe.skip
const HOSTS = { 'w1.test': '127.0.0.2', 'w2.test': '127.0.0.3' }
/** Of each host in each lot. Flink's own assigner learns the hosts of the first lot, as far as readers have not asked before. */
const FILES = [2, 32, 32]
const LATER = 2 * (FILES[1]! + FILES[2]!)

suite(`Flink's locality${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = scratchFolder('flink-locality')
  let cluster: Cluster
  let fs: FileSystem
  let flink: Flink

  beforeAll(async () => {
    const plugin = await pluginJar()
    cluster = await Cluster.start({ proxy: true })
    fs = await cluster.connect()
    await jobsMaven(folder.path, plugin, 'package', '-DskipTests')
    flink = await Flink.start({
      lib: [plugin],
      hosts: HOSTS,
      properties: {
        ...guideSettings(cluster),
        'taskmanager.numberOfTaskSlots': '1',
        'metrics.fetcher.update-interval': '200',
      },
    })
    await Promise.all(Object.keys(HOSTS).map((host) => flink.addTaskManager({ ...HERE, name: host })))
  }, 600_000)

  afterAll(async () => {
    await flink?.stop()
    await cluster?.dispose()
    folder.remove()
  })

  /**
   * Runs the job over lots of files that appear at once each; how many of the later ones were read on their hosts. The assigner's metric
   * has to say the same.
   */
  async function localFiles(assigner: 'ours' | 'default') {
    const [input, stage, notes] = [`/${assigner}/in`, `/${assigner}/stage`, join(folder.path, assigner)]
    await fs.mkdir(input, { recursive: true })
    await fs.mkdir(stage, { recursive: true })
    mkdirSync(notes)
    const args = [`alluxio://${input}`, assigner, notes]
    const jar = join(folder.path, 'flink-jobs.jar')
    const job = await flink.submit({ jar, main: 'jobs.Watch', args })
    await flink.until(job, async () => (await flink.completedCheckpoints(job)) > 0)
    let all = 0
    for (const [lot, files] of FILES.entries()) {
      await fs.mkdir(`${stage}/${lot}`)
      for (let i = 0; i < files; i++) {
        for (const host of Object.keys(HOSTS)) {
          // Listed in an order that has nothing to do with hosts, else the control depends on which reader is faster when.
          const order = createHash('sha256').update(`${lot} ${i} ${host}`).digest('hex').slice(0, 8)
          await writeWhole(
            fs,
            `${stage}/${lot}/${order}-${host}`,
            Buffer.from(`${host} ${lot}\n`),
            'MUST_CACHE',
          )
        }
      }
      await fs.rename(`${stage}/${lot}`, `${input}/${lot}`)
      all += 2 * files
      await flink.until(job, async () => notesOf(notes).length === all)
    }
    const local = notesOf(notes).filter(({ reader, host }) => reader === host)
    const counted = () => flink.coordinatorMetric(job, 'numLocalSplits')
    // The JobManager collects metrics from time to time.
    if (assigner === 'ours') await flink.until(job, async () => (await counted()) === local.length)
    else expect(await counted()).toBeUndefined()
    await flink.drain(job, 'alluxio:///savepoints')
    return local.filter(({ lot }) => lot !== '0').length
  }

  /** Of each file that was read: where, where it is, and of which lot. */
  function notesOf(notes: string): { reader: string; host: string; lot: string }[] {
    return Object.keys(HOSTS).flatMap((reader) => {
      const file = join(notes, reader)
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
      return lines.map((line) => {
        const [host, lot] = line.split(' ') as [string, string]
        return { reader, host, lot }
      })
    })
  }

  test('files that appear later are read on their hosts; by the default assigner they are not', async () => {
    // The reader that is done first helps the other.
    expect(await localFiles('ours')).toBeGreaterThanOrEqual(LATER * 0.85)
    expect(await localFiles('default')).toBeLessThanOrEqual(LATER * 0.7)
  }, 300_000)
})
