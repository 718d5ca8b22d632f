import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import * as o from '../options/index.ts'
import { Config, declaredOptions } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-config-'))
const siteFile = join(folder, 'site.properties')
afterAll(() => rmSync(folder, { recursive: true }))

function load(site: string, inputs: { properties?: string[]; env?: Record<string, string> } = {}): Config {
  writeFileSync(siteFile, site)
  return Config.load({
    siteFile,
    env: { ALLUXIO_DATA: '/data', ...inputs.env },
    properties: inputs.properties ?? [],
  })
}

describe('Config', () => {
  test('later layers win: default, site file, environment, -D', () => {
    expect(load('').get(o.MASTER_RPC_PORT)).toBe(19998)
    const site = '# comment\nalluxio.master.rpc.port = 1\n'
    expect(load(site).get(o.MASTER_RPC_PORT)).toBe(1)
    expect(load(site, { env: { ALLUXIO_MASTER_RPC_PORT: '2' } }).get(o.MASTER_RPC_PORT)).toBe(2)
    const all = load(site, {
      env: { ALLUXIO_MASTER_RPC_PORT: '2' },
      properties: ['alluxio.master.rpc.port=3'],
    })
    expect(all.get(o.MASTER_RPC_PORT)).toBe(3)
    expect(all.source('alluxio.master.rpc.port').source).toBe('COMMAND_LINE')
  })

  test('variables are filled in', () => {
    expect(load('').get(o.MASTER_METASTORE_DIR)).toBe('/data/metastore')
    expect(load('', { properties: ['alluxio.data=/x'] }).get(o.LOGS_DIR)).toBe('/x/logs')
  })

  test('tier options are read by level', () => {
    const config = load(
      'alluxio.worker.tieredstore.level1.alias=SSD\nalluxio.worker.tieredstore.level1.dirs.path=/a, /b\n',
    )
    expect(config.getAt(o.TIER_ALIAS, 1)).toBe('SSD')
    expect(config.getAt(o.TIER_PATHS, 1)).toEqual(['/a', '/b'])
    expect(config.getAt(o.TIER_ALIAS, 0)).toBeUndefined()
  })

  test('all problems are told at once, with their origin and the nearest name', () => {
    const site =
      'alluxio.master.rpc.prt=1\nalluxio.worker.rpc.port=99999\nalluxio.user.file.readtype.default=SOMETIMES\nspark.x=1\n'
    const error = (() => {
      try {
        return load(site)
      } catch (caught) {
        return caught as Error
      }
    })() as Error
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_CONFIGURATION' })
    expect(error.message).toContain('3 problem(s)')
    expect(error.message).toContain(
      `${siteFile}:1: unknown key alluxio.master.rpc.prt; did you mean alluxio.master.rpc.port?`,
    )
    expect(error.message).toContain('alluxio.worker.rpc.port: "99999"')
    expect(error.message).toContain('not one of NO_CACHE, CACHE, CACHE_PROMOTE')
  })

  test('every option has a doc that ends as a sentence, and a default that its own parser takes', () => {
    for (const option of declaredOptions().values()) {
      expect(option.doc).toMatch(/^[A-Za-z].*\S$/)
      if (option.default !== undefined && option.type !== 'list') option.parse(String(option.default))
    }
  })
})
