/** Runs Hadoop's contract suite by Maven against a file system, and reads what came of it. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { complete } from '../../support/servers/process.ts'

export interface SuiteRun {
  /** `webhdfs://` or `alluxio://` with host and port; all others are refused here and in Java: on a local folder the suite deletes `/`. */
  readonly uri: string
  /** Jar of the file system, when Hadoop does not bring it. */
  readonly jar?: string
  readonly user: string
  /** @default 3.4 */
  readonly hadoop?: '3.3' | '3.4'
}

export interface SuiteOutcome {
  readonly tests: number
  readonly skipped: number
  /** First lines of what went wrong, by `Class.test`. */
  readonly failed: ReadonlyMap<string, string>
}

const MOST_MS = 900_000

export async function runContractSuite({ uri, jar, user, hadoop }: SuiteRun): Promise<SuiteOutcome> {
  if (!/^(webhdfs|alluxio):\/\/127\.0\.0\.1:\d+$/.test(uri)) throw new Error(`refused: ${uri}`)
  const out = await mkdtemp(join(tmpdir(), 'alluxio-contract-'))
  try {
    const properties = {
      ...{ 'fs.uri': uri, out, user },
      ...(jar === undefined ? {} : { 'fs.jar': jar }),
      ...(hadoop === '3.3' ? { 'hadoop.version': '3.3.6', 'left.out': '**/Later*.java' } : {}),
    }
    const args = ['-q', '-B', '-f', resolve('test/frameworks/contract/pom.xml'), 'test']
    for (const [name, value] of Object.entries(properties)) args.push(`-D${name}=${value}`)
    await complete({ binary: 'mvn', args, timeoutMs: MOST_MS })
    return await outcomeOf(join(out, 'surefire-reports'))
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}

async function outcomeOf(folder: string): Promise<SuiteOutcome> {
  const failed = new Map<string, string>()
  let tests = 0
  let skipped = 0
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.xml')) continue
    const text = await readFile(join(folder, name), 'utf8')
    for (const [, attributes = '', body = ''] of text.matchAll(
      /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    )) {
      tests++
      if (body.includes('<skipped')) skipped++
      const problem = /<(?:failure|error)[^>]*>([\s\S]{0,2000})/.exec(body)
      if (problem === null) continue
      failed.set(nameOf(attributes), problem[1]!.split('\n').slice(0, 6).join('\n'))
    }
  }
  return { tests, skipped, failed }
}

/** `Seek.testNegativeSeek`; of one that runs with parameters, with these. */
function nameOf(attributes: string): string {
  const [, test = ''] = /\bname="([^"]*)"/.exec(attributes) ?? []
  const [, suite = ''] = /\bclassname="[^"]*\$([^"]*)"/.exec(attributes) ?? []
  return `${suite}.${test}`
}
