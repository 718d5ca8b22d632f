/** A scheduler of a third party: one module, named in the configuration, for the command and for the master. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster } from '../support/cluster.ts'
import { complete } from '../support/servers/process.ts'

/** Slurm takes a list of hosts for --prefer. */
const MODULE = `
const names = (hints) => [...new Set(hints.flatMap(({ hosts }) => hosts.map(({ host }) => host)))]
export default {
  summary: 'hosts for sbatch',
  adapt: (hints, { most = 10 }) => ({ prefer: names(hints).slice(0, most) }),
  text: (hints) => '--prefer=' + names(hints).join('|'),
}
`

describe('an adapter of a third party', () => {
  let cluster: Cluster
  const folder = mkdtempSync(join(tmpdir(), 'alluxio-adapter-'))

  beforeAll(async () => {
    const module = join(folder, 'slurm.mjs')
    writeFileSync(module, MODULE)
    cluster = await Cluster.start({ properties: { 'alluxio.hints.adapters': `slurm=${module}` } })
    const fs = await cluster.connect()
    const file = await fs.create('/input')
    await file.write(Buffer.alloc(1000))
    await file.close()
  })
  afterAll(async () => {
    await cluster.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  const command = (...args: string[]) =>
    complete({
      binary: resolve('bin/alluxio'),
      args: ['hints', '/input', ...args, ...cluster.flags],
      env: cluster.env,
    })

  test('the command prints its text, and its JSON', async () => {
    expect(await command('--for', 'slurm')).toBe('--prefer=127.0.0.1\n')
    expect(JSON.parse(await command('--for', 'slurm', '--json'))).toEqual([{ prefer: ['127.0.0.1'] }])
    await expect(command('--for', 'other')).rejects.toThrow(/slurm/)
  })

  test('the master answers in its form over HTTP, with what the engine tells', async () => {
    const ask = async (body: unknown) => {
      const url = `http://127.0.0.1:${cluster.master.webPort}/api/v1/hints/rank`
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
      return { status: answer.status, value: await answer.json() }
    }
    expect(await ask({ paths: ['/input'], for: 'slurm' })).toEqual({
      status: 200,
      value: { prefer: ['127.0.0.1'] },
    })
    expect(await ask({ paths: ['/input'], for: 'slurm', engine: { most: 0 } })).toEqual({
      status: 200,
      value: { prefer: [] },
    })
    expect(await ask({ paths: ['/input'], for: 'other' })).toMatchObject({
      status: 400,
      value: { reason: 'ADAPTER_UNKNOWN', message: expect.stringContaining('slurm') },
    })
  })
})
