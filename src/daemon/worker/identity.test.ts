import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { systemRuntime } from '../../core/index.ts'
import { loadIdentity, saveIdentity } from './identity.ts'

describe('the identity of a worker', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'alluxio-identity-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('is made once and kept', async () => {
    const made = await loadIdentity(join(folder, 'new'), systemRuntime)
    expect(made.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(made.clusterId).toBe('')
    await saveIdentity(join(folder, 'new'), { ...made, clusterId: 'c1', quotas: { '/a': 5 } })
    expect(await loadIdentity(join(folder, 'new'), systemRuntime)).toEqual({
      uuid: made.uuid,
      clusterId: 'c1',
      quotas: { '/a': 5 },
    })
  })

  it.each(['', '{', 'null', '{"uuid":""}', '{"uuid":"x","clusterId":4}'])(
    'is not guessed from %j',
    async (text) => {
      await writeFile(join(folder, 'worker.json'), text)
      await expect(loadIdentity(folder, systemRuntime)).rejects.toMatchObject({ code: 'DATA_LOSS' })
    },
  )
})
