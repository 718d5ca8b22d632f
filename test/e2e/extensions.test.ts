/** Packages of third parties on a cluster of real processes that runs already: installed, used, misbehaving, taken out. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../src/client/index.ts'
import { Cluster, patternBytes } from '../support/cluster.ts'
import { ifAvailable } from '../support/servers/index.ts'
import { scratchFolder } from '../support/servers/process.ts'
import { type Sshd, startSshd } from '../support/servers/sshd.ts'
import { readWhole, writeWhole } from '../support/whole-file.ts'

const run = promisify(execFile)
const scratch = scratchFolder('extensions')
const at = (name: string) => join(scratch.path, name)
const EXTENSIONS = at('extensions')
const { server: started, reason } = await ifAvailable(startSshd)
const sshd = started as Sshd
let cluster: Cluster
let fs: FileSystem

interface Answer {
  readonly status: number
  readonly out: string
  readonly said: string
}

async function alluxio(...words: string[]): Promise<Answer> {
  const args = [...words, `-Dalluxio.extensions.dir=${EXTENSIONS}`]
  try {
    const { stdout, stderr } = await run(resolve('bin/alluxio'), args)
    return { status: 0, out: stdout, said: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, out: stdout, said: stderr }
  }
}

/** A package in a folder of its own. */
function packageOf(name: string, description: object, source: string): string {
  mkdirSync(at(name), { recursive: true })
  writeFileSync(
    at(`${name}/package.json`),
    JSON.stringify({ name, version: '1.0.0', type: 'module', ...description }),
  )
  writeFileSync(at(`${name}/index.js`), source)
  return at(name)
}

const serving = (...schemes: string[]) => ({ alluxio: { ufs: { schemes } } })
const exporting = (...schemes: string[]) =>
  `export default { schemes: ${JSON.stringify(schemes)}, open: async () => { throw new Error('never') } }`

function unruly(): string {
  const folder = packageOf(
    'alluxio-ufs-unruly',
    serving('unruly'),
    readFileSync('test/support/unruly-store/unruly.mjs', 'utf8').replace('../shelf-store/', './'),
  )
  cpSync('test/support/shelf-store/shelf.mjs', join(folder, 'shelf.mjs'))
  return folder
}

beforeAll(async () => {
  cluster = await Cluster.start({
    properties: {
      'alluxio.extensions.dir': EXTENSIONS,
      'alluxio.underfs.timeout': '3s',
      'alluxio.underfs.retry.max.duration': '0ms',
      'alluxio.underfs.plugin.silence': '2s',
      'alluxio.underfs.plugin.memory': '64MB',
      'alluxio.underfs.plugin.failures.max': '1000',
    },
  })
  fs = await cluster.connect()
}, 120_000)
afterAll(async () => {
  await cluster?.dispose()
  await started?.stop()
  scratch.remove()
})

const given = reason === undefined ? describe : describe.skip

given('the SFTP plug-in, packed as its author would ship it', () => {
  const bytes = patternBytes(1, 3 * 2 ** 20 + 17)

  test('is installed from its tarball; a daemon that runs serves it at once', async () => {
    const mount = () =>
      fs.mount('/sftp', `sftp://127.0.0.1:${sshd.port}${sshd.folder}`, { options: sshd.options })
    await expect(mount()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'UNKNOWN_SCHEME' })
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', scratch.path], {
      cwd: resolve('plugins/ufs-sftp'),
    })
    const installed = await alluxio('extensions', 'install', at(stdout.trim()))
    expect(installed).toMatchObject({
      status: 0,
      out: expect.stringContaining('alluxio-ufs-sftp 1.0.0, which serves sftp://'),
    })
    await mount()
  }, 120_000)

  test('is read cold and warm, written, renamed and deleted', async () => {
    writeFileSync(join(sshd.folder, 'theirs'), bytes)
    expect((await readWhole(fs, '/sftp/theirs')).equals(bytes)).toBe(true)
    const before = await reads()
    expect(before).toBeGreaterThan(0)
    expect((await readWhole(fs, '/sftp/theirs')).equals(bytes)).toBe(true)
    expect(await reads()).toBe(before)
    await writeWhole(fs, '/sftp/deep/ours', bytes, 'CACHE_THROUGH')
    expect(readFileSync(join(sshd.folder, 'deep/ours')).equals(bytes)).toBe(true)
    await fs.rename('/sftp/deep/ours', '/sftp/renamed')
    expect(readFileSync(join(sshd.folder, 'renamed')).equals(bytes)).toBe(true)
    await fs.delete('/sftp/renamed')
    expect(existsSync(join(sshd.folder, 'renamed'))).toBe(false)
  })

  test('a directory of 1,000 files', async () => {
    mkdirSync(join(sshd.folder, 'many'))
    for (let i = 0; i < 1000; i++) writeFileSync(join(sshd.folder, `many/${i}`), String(i))
    let count = 0
    for await (const _entry of fs.list('/sftp/many')) count++
    expect(count).toBe(1000)
  })

  test('runUfsTests judges it', async () => {
    const options = Object.entries(sshd.options).flatMap(([key, value]) => ['--option', `${key}=${value}`])
    const answer = await alluxio(
      ...[
        'runUfsTests',
        '--path',
        `sftp://127.0.0.1:${sshd.port}${sshd.folder}`,
        '--test',
        'createOpen',
        ...options,
      ],
    )
    expect(answer).toMatchObject({ status: 0, out: expect.stringContaining('1 passed, 0 failed') })
  })

  /** Requests that the worker has made to the store. */
  async function reads(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${cluster.workers[0]!.webPort}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.includes('sftp://') && /bytes|calls/.test(line))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
})

describe('a plug-in that does wrong on a cluster', () => {
  test('is installed from a folder, with no registry', async () => {
    const answer = await alluxio(
      'extensions',
      'install',
      unruly(),
      '--registry',
      'http://127.0.0.1:1/',
      '--json',
    )
    expect(answer.said).toBe('')
    expect(JSON.parse(answer.out)).toMatchObject({
      name: 'alluxio-ufs-unruly',
      schemes: ['unruly'],
      installed: true,
    })
    mkdirSync(at('shelves/shelf/files'), { recursive: true })
    await fs.mount('/unruly', 'unruly://shelf', { options: { 'shelf.root': at('shelves') } })
    await writeWhole(fs, '/unruly/good', patternBytes(2, 5000), 'CACHE_THROUGH')
  })

  test.each([
    ['hang', 'TIMEOUT', 'no answer from plug-in "alluxio-ufs-unruly"'],
    ['loop', 'UNAVAILABLE', 'did not answer for'],
    ['throw-in-a-timer', 'UNAVAILABLE', 'a stray throw'],
    ['stray-rejection', 'UNAVAILABLE', 'a stray rejection'],
    ['exit', 'UNAVAILABLE', 'ended its thread'],
    ['leak-heap', 'UNAVAILABLE', 'used up its memory'],
    ['leak-buffers', 'UNAVAILABLE', 'MB of buffers'],
  ])(
    '%s: its error names it, other mounts work meanwhile, and then it works again',
    async (wrong, code, says) => {
      const pids = [cluster.master.pid, cluster.workers[0]!.pid]
      const asked = fs.getStatus(`/unruly/${wrong}`).then(
        () => undefined,
        (error: Error) => error,
      )
      const name = `/beside-${wrong}`
      await writeWhole(fs, name, patternBytes(3, 1000), 'CACHE_THROUGH')
      expect((await readWhole(fs, name)).length).toBe(1000)
      const error = await asked
      // The deadline of a call may be over before the thread is found hanging or full.
      const hung =
        code === 'UNAVAILABLE' && error?.message.includes('no answer from plug-in "alluxio-ufs-unruly"')
      if (!hung) expect(error).toMatchObject({ code, message: expect.stringContaining(says) })
      expect(error?.message).toContain('plug-in "alluxio-ufs-unruly"')
      await fs.delete(name)
      await writeInTheEnd(`/unruly/after-${wrong}`)
      for (const pid of pids) expect(process.kill(pid, 0)).toBe(true)
    },
  )

  /** A deadline may be over before the thread is found full and ended: then the next write meets its end. */
  async function writeInTheEnd(path: string): Promise<void> {
    const end = Date.now() + 20_000
    for (;;) {
      try {
        await writeWhole(fs, path, patternBytes(4, 1000), 'CACHE_THROUGH')
        return
      } catch (error) {
        if (Date.now() > end) throw error
        await fs.delete(path).catch(() => {})
      }
    }
  }
})

describe('what is refused', () => {
  test.each([
    ['no-manifest', {}, exporting('x'), 'is no store plug-in'],
    ['no-factory', serving('x'), 'export default 1', 'has no default export of the form'],
    ['throwing', serving('x'), 'throw new Error("no licence")', 'failed to load: no licence'],
    ['looping', serving('x'), 'for (;;);', 'did not'],
    ['lying', serving('x', 'y'), exporting('x'), 'says in its package.json that it serves y://'],
    ['taking-s3', serving('s3'), exporting('s3'), 'claims s3://, which Alluxio itself serves'],
    ['taking-unruly', serving('unruly'), exporting('unruly'), 'which alluxio-ufs-unruly serves'],
  ])('%s', async (name, description, source, says) => {
    const before = readdirSync(EXTENSIONS)
    const answer = await alluxio(
      'extensions',
      'install',
      packageOf(name, description, source),
      '-Dalluxio.underfs.timeout=5s',
    )
    expect(answer.status).not.toBe(0)
    expect(answer.said).toContain(says)
    expect(readdirSync(EXTENSIONS)).toEqual(before)
  })

  test.each([
    ['./none.tgz', 'does not exist'],
    ['--help-me', 'Nonexistent flag'],
    ['git+https://example.org/x.git', 'is neither a package'],
  ])('%s is no package', async (source, says) => {
    expect((await alluxio('extensions', 'install', source)).said).toContain(says)
  })
})

describe('the list', () => {
  test('--force lets one take over a scheme of ours; ls tells what loads; uninstall takes it out', async () => {
    const folder = packageOf('@third/memory', serving('s3n'), exporting('s3n'))
    expect(await alluxio('extensions', 'install', '--force', folder)).toMatchObject({ status: 0 })
    rmSync(join(EXTENSIONS, 'alluxio-ufs-unruly/node_modules/alluxio-ufs-unruly/shelf.mjs'))
    const listed = JSON.parse((await alluxio('extensions', 'ls', '--json')).out) as { name: string }[]
    expect(listed.filter(({ name }) => name !== 'alluxio-ufs-sftp')).toMatchObject([
      {
        name: '@third/memory',
        version: '1.0.0',
        schemes: ['s3n'],
        state: 'loads',
        path: expect.stringContaining('@third+memory'),
      },
      {
        name: 'alluxio-ufs-unruly',
        state: 'fails',
        error: { message: expect.stringContaining('failed to load') },
      },
    ])
    expect((await alluxio('extensions', 'ls')).out).toContain('@third/memory 1.0.0  s3n://')
    expect(await alluxio('extensions', 'uninstall', '@third/memory')).toMatchObject({ status: 0 })
    expect(await alluxio('extensions', 'uninstall', '@third/memory')).toMatchObject({ status: 66 })
    expect((await alluxio('extensions', 'ls')).out).not.toContain('@third/memory')
  })
})
