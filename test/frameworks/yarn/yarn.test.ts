/** Commands near their data on a real YARN of two nodes, and the attributes by which its services are pinned. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../support/cluster.ts'
import { guideBlock } from '../../support/guide.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { javaAndMaven, mavenJars } from '../../support/servers/maven.ts'
import { complete, scratchFolder } from '../../support/servers/process.ts'
import { Yarn } from '../../support/servers/yarn.ts'

const BLOCK = 2 ** 20
/** Addresses of the workers, and the names by which YARN knows these hosts. */
const HOSTS = { '127.0.0.2': 'w1.test', '127.0.0.3': 'w2.test' } as const
const WORKERS = Object.keys(HOSTS)
const BY_SCRIPT = 'nm.yarn.io/alluxio-cache'
const BY_HAND = 'rm.yarn.io/alluxio-cache'

interface Report {
  readonly exitCode: number
  readonly hints: string
  readonly local: number
  readonly other: number
  readonly containers: readonly {
    readonly container: string
    readonly host: string
    readonly wanted: readonly string[]
    readonly attempts: number
    readonly inputs: readonly string[]
  }[]
}

const { reason } = await ifAvailable(javaAndMaven)
const suite = reason === undefined ? describe : describe.skip

suite(`YARN${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = scratchFolder('yarn-test')
  let cluster: Cluster
  let yarn: Yarn
  let jar: string
  let hints: string

  beforeAll(async () => {
    await complete({ binary: resolve('bin/alluxio'), args: ['plugins', 'build', 'yarn'], timeoutMs: 600_000 })
    jar = resolve('plugins/dist/alluxio-yarn.jar')
    const aliases = join(folder.path, 'aliases')
    writeFileSync(
      aliases,
      Object.entries(HOSTS)
        .map((pair) => `${pair.join(' = ')}\n`)
        .join(''),
    )
    cluster = await Cluster.start({
      workers: 2,
      properties: {
        'alluxio.user.block.size.bytes.default': String(BLOCK),
        'alluxio.hints.host.aliases': aliases,
      },
      workerProperties: (i) => ({
        'alluxio.worker.hostname': WORKERS[i]!,
        'alluxio.worker.bind.host': WORKERS[i]!,
      }),
    })
    hints = `http://127.0.0.1:${cluster.master.webPort}`
    await write('/in/one', '127.0.0.2', 3)
    await write('/in/two', '127.0.0.3', 3)
    await write('/pair', '127.0.0.2', 2)
    await write('/hot', '127.0.0.2', 1)
    yarn = await Yarn.start({
      jars: [jar],
      nodes: Object.entries(HOSTS).map(([address, host]) => ({
        host,
        address,
        // As the answers of the script's questions name the nodes.
        env: { ALLUXIO_NODE_NAME: address },
        properties: scriptProperties(hints),
      })),
      properties: {
        'yarn.resourcemanager.scheduler.class':
          'org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler',
        'yarn.resourcemanager.placement-constraints.handler': 'scheduler',
        'yarn.scheduler.capacity.root.queues': 'default',
        'yarn.scheduler.capacity.root.default.capacity': '100',
        'yarn.scheduler.capacity.maximum-am-resource-percent': '1',
      },
    })
  }, 600_000)

  afterAll(async () => {
    await yarn?.stop()
    await cluster?.dispose()
    folder.remove()
  })

  async function write(path: string, worker: string, blocks: number): Promise<void> {
    const client = await cluster.connect({
      'alluxio.user.block.size.bytes.default': String(BLOCK),
      'alluxio.user.file.writetype.default': 'MUST_CACHE',
      'alluxio.user.block.write.location.policy.class': 'SpecificHost',
      'alluxio.user.block.location.policy.specific.host': worker,
    })
    const writer = await client.create(path, { recursive: true })
    await writer.write(patternBytes(1, blocks * BLOCK))
    await writer.close()
  }

  /** Runs a line of shell in containers, small ones unless told otherwise. */
  async function launch(line: string, ...options: string[]): Promise<Report> {
    const small = ['--hints', hints, '--memory', '64', '--staging', join(folder.path, 'staging')]
    const args = [...small, ...options, '--', line]
    const said = await yarn.run({ main: 'alluxio.yarn.AlluxioLauncher', args })
    return JSON.parse(/^\{\n.*^\}$/ms.exec(said)![0]) as Report
  }

  test("the plug-in's own tests", async () => {
    const args = ['-B', '-f', resolve('plugins/pom.xml'), '-pl', 'yarn', '-am', 'test']
    const only = ['-Dtest=alluxio/yarn/*Test', '-Dsurefire.failIfNoSpecifiedTests=false']
    const printed = await complete({ binary: 'mvn', args: [...args, ...only], timeoutMs: 400_000 })
    expect(printed).toMatch(/Tests run: 6, Failures: 0, Errors: 0, Skipped: 0, Time.* in alluxio\.yarn/)
  }, 400_000)

  test('containers run on the nodes that hold their inputs', async () => {
    const out = join(folder.path, 'seen')
    mkdirSync(out)
    const line = `echo "$NM_HOST $ALLUXIO_INPUT" > ${out}/$CONTAINER_ID`
    const both = ['--input', '/in/one', '--input', '/in/two', '--per-node', '3', '--wait', '120']
    const report = await launch(line, ...both)
    expect(report).toMatchObject({ exitCode: 0, hints: 'used', local: 6, other: 0 })
    const seen = readdirSync(out).map((name) => readFileSync(join(out, name), 'utf8').trim())
    const expected = [0, 1, 2].flatMap((block) => [
      `w1.test /in/one:${block * BLOCK}:${BLOCK}`,
      `w2.test /in/two:${block * BLOCK}:${BLOCK}`,
    ])
    expect(seen.sort()).toEqual(expected.sort())
    expect(report.containers.map(({ host, inputs }) => `${host} ${inputs}`).sort()).toEqual(expected)
  }, 180_000)

  test('a container whose node is full runs elsewhere after a while', async () => {
    // Each node has room for one of them beside the master.
    const large = ['--memory', '700', '--per-node', '2', '--wait', '1']
    const report = await launch('sleep 8', ...large, '--input', '/pair')
    expect(report).toMatchObject({ exitCode: 0, hints: 'used', local: 1, other: 1 })
    expect(report.containers.map(({ wanted }) => wanted)).toEqual([['w1.test'], ['w1.test']])
    expect(report.containers.map(({ host }) => host).sort()).toEqual(['w1.test', 'w2.test'])
  }, 180_000)

  test('without the hint service commands run anywhere, and the report says why', async () => {
    const nobody = ['--hints', 'http://127.0.0.1:1', '--input', '/in/one', '--input', '/in/two']
    expect(await launch('true', ...nobody)).toMatchObject({
      exitCode: 0,
      hints: expect.stringContaining('http://127.0.0.1:1 does not answer'),
      local: 0,
      other: 2,
    })
    const missing = await launch('true', '--input', '/missing')
    expect(missing).toMatchObject({ exitCode: 0, hints: expect.stringContaining('NOT_FOUND'), other: 1 })
  }, 180_000)

  test('what fails is run again, and fails the job in the end', async () => {
    const mark = join(folder.path, 'mark')
    const once = await launch(`test -e ${mark} || { touch ${mark}; exit 7; }`, '--input', '/hot')
    expect(once.containers.map(({ attempts }) => attempts)).toEqual([2])
    const failed = launch('exit 7', '--input', '/hot', '--retries', '1')
    await expect(failed).rejects.toThrow(/ended with 7: [\s\S]*"attempts" : 2/)
  }, 180_000)

  test('nodes are marked by the script as the data move and by the command of the hints, and containers keep to them', async () => {
    await attributesAre([`${BY_SCRIPT}=true`], [`${BY_SCRIPT}=false`])
    const fs = await cluster.connect()
    await fs.delete('/hot')
    await write('/hot', '127.0.0.3', 1)
    await attributesAre([`${BY_SCRIPT}=false`], [`${BY_SCRIPT}=true`])
    const asked = { paths: ['/in/one'], candidates: Object.values(HOSTS), for: 'yarn', engine: { nodes: 1 } }
    const answer = await fetch(`${hints}/api/v1/hints/rank`, { method: 'POST', body: JSON.stringify(asked) })
    const { command } = (await answer.json()) as { command: string }
    const [, words] = /^yarn nodeattributes -add "(.*)"$/.exec(command)!
    await yarn.run({ main: 'org.apache.hadoop.yarn.client.cli.NodeAttributesCLI', args: ['-add', words!] })
    await attributesAre([`${BY_SCRIPT}=false`, `${BY_HAND}=true`], [`${BY_SCRIPT}=true`])
    const main = new URL('Pinned.java', import.meta.url).pathname
    const pinned = await yarn.run({ main, args: ['3', BY_HAND, BY_SCRIPT] })
    expect(pinned.match(/^pinned to .*$/gm)).toEqual([
      `pinned to ${BY_HAND}: w1.test w1.test w1.test`,
      `pinned to ${BY_SCRIPT}: w2.test w2.test w2.test`,
    ])
  }, 120_000)

  test('what the hints write is a service by the rules of YARN Services', async () => {
    const jars = await mavenJars({
      name: 'hadoop-yarn-services',
      jars: ['org.apache.hadoop:hadoop-yarn-services-core:3.4.2', 'org.apache.hadoop:hadoop-common:3.4.2'],
    })
    const engine = JSON.stringify({ name: 'scan', command: 'exec scan "/in"', nodes: 2 })
    const hinted = ['hints', '/in', '--for', 'yarn-service', '--engine', engine, ...cluster.flags]
    const spec = await complete({ binary: resolve('bin/alluxio'), args: hinted, env: cluster.env })
    const wrong = hinted.map((word) => (word === engine ? '[1]' : word))
    const refused = complete({ binary: resolve('bin/alluxio'), args: wrong, env: cluster.env })
    await expect(refused).rejects.toThrow('--engine is no JSON object: [1]')
    const broken = spec.replace('"scope": "NODE",', '')
    const check = new URL('ServiceCheck.java', import.meta.url).pathname
    const args = ['-cp', join(jars, '*'), check, join(folder.path, 'services'), spec, broken]
    const verdicts = (await complete({ binary: 'java', args })).match(/^verdict: .*$/gm)
    expect(verdicts).toEqual([
      'verdict: scan 2 x 1024 MB, AFFINITY node {rm.yarn.io/alluxio-cache=[true]}',
      expect.stringContaining('refused: '),
    ])
  }, 300_000)

  /** Waits for those of the two nodes, which ask each second. */
  async function attributesAre(...wanted: readonly (readonly string[])[]): Promise<void> {
    const deadline = Date.now() + 60_000
    const found = async () =>
      Object.values(await yarn.nodeAttributes()).map((attributes) => attributes.sort())
    while (JSON.stringify(await found()) !== JSON.stringify(wanted) && Date.now() < deadline) await pause(200)
    expect(await found()).toEqual(wanted)
  }
})

/** yarn-site.xml of the guide. */
function scriptProperties(hints: string): Record<string, string> {
  const text = guideBlock('yarn', 'yarn-site.xml', {
    '/opt/alluxio/plugins': resolve('plugins'),
    'http://master:19999,3,alluxio-cache,/data': `${hints},1,alluxio-cache,/hot`,
    '60000': '1000',
  })
  const pairs = [...text.matchAll(/<name>(.*?)<\/name>\s*<value>(.*?)<\/value>/gs)]
  return Object.fromEntries(pairs.map(([, name, value]) => [name!, value!]))
}
