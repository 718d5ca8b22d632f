// Runs the suites and prints one closing line, `N passed, N failed, N skipped`, summed over all of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const bin = (name) => join('node_modules', '.bin', name)
const node = process.execPath

/** Each check counts as one test. */
const checks = [
  ['typecheck', bin('tsc'), ['--noEmit']],
  ['biome', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['layers', bin('depcruise'), ['src', '--config', '.dependency-cruiser.cjs']],
  ['knip', bin('knip'), []],
  ['docs', node, ['bin/docs.mjs', '--check']],
]
const jest = (paths, options = []) => ({ paths, options })
const suites = {
  check: checks,
  unit: jest(['src']),
  contract: jest(['test/contract', 'test/vectors'], ['--runInBand']),
  integration: jest(['test/integration'], ['--runInBand']),
  sim: jest(['test/sim'], ['--runInBand']),
  e2e: jest(['test/e2e'], ['--runInBand']),
  frameworks: jest(['test/frameworks'], ['--runInBand']),
  hosts: jest(['test/hosts'], ['--runInBand']),
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in suites))
if (unknown.length > 0) {
  console.error(`bin/test: no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`)
  process.exit(64)
}
const totals = { passed: 0, failed: 0, skipped: 0 }
const scratch = mkdtempSync(join(tmpdir(), 'alluxio-test-'))
for (const name of wanted.length === 0 ? Object.keys(suites) : wanted) {
  const started = Date.now()
  const before = { ...totals }
  if (Array.isArray(suites[name])) runChecks(suites[name])
  else runJest(name, suites[name])
  const seconds = ((Date.now() - started) / 1000).toFixed(0)
  console.log(
    `suite ${name}: ${totals.passed - before.passed} passed, ${totals.failed - before.failed} failed, ${totals.skipped - before.skipped} skipped in ${seconds} s\n`,
  )
}
rmSync(scratch, { recursive: true, force: true })
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed > 0 ? 1 : 0

function runChecks(list) {
  for (const [name, command, args] of list) {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
    if (status === 0) totals.passed++
    else {
      totals.failed++
      console.log(`FAIL ${name}\n${stdout}${stderr}`.slice(0, 20_000))
    }
  }
}

function runJest(name, { paths, options }) {
  const present = paths.filter((path) => existsSync(path))
  if (present.length === 0) return
  const outputFile = join(scratch, `${name}.json`)
  const args = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
  ]
  const { status } = spawnSync(
    node,
    [
      ...args,
      '--json',
      `--outputFile=${outputFile}`,
      '--forceExit',
      ...options,
      ...present.map((path) => `${path}/`),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  if (!existsSync(outputFile)) {
    totals.failed++
    console.log(`FAIL ${name}: jest ended with status ${status} and no result`)
    return
  }
  const result = JSON.parse(readFileSync(outputFile, 'utf8'))
  totals.passed += result.numPassedTests
  totals.failed += result.numFailedTests + result.numRuntimeErrorTestSuites
  totals.skipped += result.numPendingTests + result.numTodoTests
  if (status !== 0 && result.numFailedTests + result.numRuntimeErrorTestSuites === 0) totals.failed++
}
