/** bin/alluxio itself: when it builds, when it does not, and what a start costs. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'alluxio-home-'))
  for (const name of ['bin', 'src', 'package.json', 'package-lock.json'])
    cpSync(name, join(home, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(home, 'node_modules'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(join(home, 'bin/alluxio'), words, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

const stamp = () => statSync(join(home, 'dist/.stamp')).mtimeMs

test('builds once, again only for changed content, and says so on stderr', () => {
  const first = run('version')
  expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  expect(first.stderr).toMatch(/^alluxio: building \.\.\.\nalluxio: built in \d+\.\d s\n$/)
  const built = stamp()
  expect(run('version')).toMatchObject({ status: 0, stderr: '' })
  expect(stamp()).toBe(built)

  // Touched but the same: looked at, not built.
  const source = join(home, 'src/commands/version.ts')
  const later = new Date(Date.now() + 2000)
  utimesSync(source, later, later)
  expect(run('version')).toMatchObject({ status: 0, stderr: '' })

  appendFileSync(source, '\nconst broken: = 1\n')
  utimesSync(source, later, later)
  const broken = run('version')
  expect(broken).toMatchObject({ status: 70, stdout: '' })
  expect(broken.stderr).toContain('version.ts')
  expect(broken.stderr).toContain('the build failed')
}, 60_000)

test('a packaged install has no sources and never builds', () => {
  const installed = join(home, 'installed')
  for (const name of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
    cpSync(name, join(installed, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(installed, 'node_modules'))
  rmSync(join(installed, 'dist/.stamp'))
  const { status, stderr } = spawnSync(join(installed, 'bin/alluxio'), ['fs', 'ls', '--help'], {
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(existsSync(join(installed, 'dist/.stamp'))).toBe(false)
}, 60_000)

/** CPU seconds, user and system, of `count` runs: what the shell counts for its children. */
function cpuSeconds(command: string, count: number): number {
  const script = `i=0; while [ $i -lt ${count} ]; do ${command} >/dev/null; i=$((i + 1)); done; times`
  const children = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n')[1]!
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}

test('a warm version costs at most 1.6 times the CPU of node -e 0, a warm command at most 6 times', () => {
  const command = resolve('bin/alluxio')
  const node = process.execPath
  execFileSync(command, ['version'])
  // The least of several rounds: other work on the machine only ever adds.
  const least = (what: string) => Math.min(...Array.from({ length: 4 }, () => cpuSeconds(what, 5)))
  const bare = least(`'${node}' -e 0`)
  expect(least(`'${command}' version`) / bare).toBeLessThan(1.6)
  expect(least(`'${command}' getConf alluxio.home`) / bare).toBeLessThan(6)
}, 60_000)
