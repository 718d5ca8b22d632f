/** The template of a store plug-in, as a third party copies it: its own test passes, and it is installed and judged. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { scratchFolder } from '../support/servers/process.ts'

const run = promisify(execFile)
const scratch = scratchFolder('template')
const copy = join(scratch.path, 'my-store')

beforeAll(async () => {
  cpSync('plugins/ufs-template', copy, { recursive: true })
  mkdirSync(join(copy, 'node_modules'))
  symlinkSync(resolve('.'), join(copy, 'node_modules', 'alluxio'))
  // Builds dist/, which the package's entry leads to.
  await run(resolve('bin/alluxio'), ['version'])
}, 120_000)
afterAll(() => scratch.remove())

test('its own test, the contract suite, passes', async () => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap'], { cwd: copy })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(50)
})

test('it is installed from its folder, and judged in its thread', async () => {
  const flags = [`-Dalluxio.extensions.dir=${join(scratch.path, 'extensions')}`]
  const installed = await run(resolve('bin/alluxio'), ['extensions', 'install', copy, ...flags])
  expect(installed.stdout).toContain('alluxio-ufs-template 1.0.0, which serves template://')
  const judged = await run(resolve('bin/alluxio'), [
    'runUfsTests',
    '--path',
    'template://name/folder',
    ...flags,
  ])
  expect(judged.stdout).toContain(' passed, 0 failed')
})
