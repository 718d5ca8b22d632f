import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { isAlluxioError, systemRuntime } from '../../core/index.ts'
import { Jars } from './jars.ts'

const NEVER = new AbortController().signal
let home: string
let maven: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'alluxio-jars-'))
  maven = join(home, 'maven')
  source('pom.xml', '<module>jvm-client</module><module>one</module><module>two</module>')
  for (const name of ['jvm-client', 'one', 'two']) {
    source(`${name}/pom.xml`, name)
    source(`${name}/src/main/java/X.java`, name)
  }
  // Stands for Maven: makes the jar of each module that is asked for, and notes that it ran.
  script(
    'for m in $(echo "$6" | tr , " "); do mkdir -p plugins/$m/target; echo built > plugins/$m/target/alluxio-$m.jar; done; echo "$6" >> runs',
  )
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function source(path: string, text: string): void {
  const file = join(home, 'plugins', path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
}

function script(text: string): void {
  mkdirSync(join(maven, 'bin'), { recursive: true })
  writeFileSync(join(maven, 'bin', 'mvn'), `#!/bin/sh\ncd ${home}\n${text}\n`)
  chmodSync(join(maven, 'bin', 'mvn'), 0o755)
}

function jars(environment: Readonly<Record<string, string>> = { MAVEN_HOME: maven }): Jars {
  return new Jars(home, { runtime: systemRuntime, environment, talk: () => {} })
}

function runs(): string[] {
  return readFileSync(join(home, 'runs'), 'utf8').trim().split('\n')
}

const states = () =>
  jars()
    .list()
    .map(({ state }) => state)

describe('jars', () => {
  test('are built when their sources or those of the library changed', async () => {
    expect(states()).toEqual(['not built', 'not built'])
    expect(await jars().build([], NEVER)).toEqual(['one', 'two'])
    expect(await jars().build([], NEVER)).toEqual([])
    source('two/src/main/java/Y.java', 'new')
    expect(states()).toEqual(['built', 'stale'])
    expect(await jars().build(['one'], NEVER)).toEqual([])
    expect(await jars().build([], NEVER)).toEqual(['two'])
    source('jvm-client/src/main/java/X.java', 'changed')
    expect(await jars().build(['one'], NEVER)).toEqual(['one'])
    expect(runs()).toEqual(['one,two', 'two', 'one'])
    expect(readFileSync(jars().list()[0]!.path, 'utf8')).toBe('built\n')
  })

  test('are built when what they are built on changed', async () => {
    source('two/pom.xml', '<dependency><artifactId>alluxio-one</artifactId></dependency>')
    await jars().build([], NEVER)
    source('two/src/main/java/Y.java', 'new')
    expect(states()).toEqual(['built', 'stale'])
    await jars().build([], NEVER)
    source('one/src/main/java/Y.java', 'new')
    expect(states()).toEqual(['stale', 'stale'])
  })

  test('are built once for many who ask at a time, also after a builder that died', async () => {
    mkdirSync(join(home, 'plugins', 'dist'))
    writeFileSync(join(home, 'plugins', 'dist', '.lock'), '999999999')
    await Promise.all([jars().build([], NEVER), jars().build([], NEVER), jars().build(['two'], NEVER)])
    expect(runs()).toHaveLength(1)
  })

  test('failures say what to do', async () => {
    const failure = async (environment: Readonly<Record<string, string>>, names: string[] = []) => {
      const error = await jars(environment)
        .build(names, NEVER)
        .catch((thrown: unknown) => thrown)
      return isAlluxioError(error) ? [error.code, error.message] : error
    }
    expect(await failure({}, ['three'])).toEqual([
      'INVALID_ARGUMENT',
      'there is no plugin three: there are one, two',
    ])
    expect(await failure({ MAVEN_HOME: join(home, 'none') })).toEqual([
      'UNAVAILABLE',
      expect.stringContaining('bin/mvn is not there'),
    ])
    expect(await failure({ JAVA_HOME: home, MAVEN_HOME: maven })).toEqual([
      'UNAVAILABLE',
      expect.stringContaining('no bin/javac'),
    ])
    script('echo "No compiler is provided in this environment"; exit 1')
    expect(await failure({ MAVEN_HOME: maven })).toEqual(['UNAVAILABLE', expect.stringContaining('no JDK')])
    script('echo "X.java:[1,2] broken"; exit 1')
    expect(await failure({ MAVEN_HOME: maven })).toEqual([
      'INVALID_ARGUMENT',
      expect.stringContaining('broken'),
    ])
    expect(states()).toEqual(['not built', 'not built'])
    rmSync(join(home, 'plugins', 'pom.xml'))
    expect(() => jars().list()).toThrow('without plugins')
  })
})
