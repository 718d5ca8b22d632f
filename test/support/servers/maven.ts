/** Jars from Maven, resolved once into a folder of the cache: `FOLDER/*` is then a class path. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './binary.ts'
import { debianPrograms, run } from './debian.ts'

export interface MavenJars {
  /** Begins the name of the folder. */
  readonly name: string
  /** `group:artifact:version` each; what they need comes with them. */
  readonly jars: readonly string[]
  /** `group:artifact` that nobody brings, because it is huge or in the way. */
  readonly without?: readonly string[]
  /** `group:artifact:version` that is taken wherever the artifact is wanted. */
  readonly pinned?: readonly string[]
}

/** Environment in which Java 17 takes file names for what they are. */
export const UTF8 = { LC_ALL: 'C.UTF-8' }

/** Makes sure of a JDK and Maven. @throws ServerMissing with the reason */
export function javaAndMaven(): Promise<void> {
  return debianPrograms(['javac', 'mvn'], ['openjdk-17-jdk-headless', 'maven'])
}

/** Folder of the jars. @throws ServerMissing with the reason */
export async function mavenJars(wanted: MavenJars): Promise<string> {
  await javaAndMaven()
  const hash = createHash('sha256').update(JSON.stringify(wanted)).digest('hex').slice(0, 8)
  return cached(`${wanted.name}-${hash}`, async (scratch) => {
    const pom = join(scratch, 'pom.xml')
    writeFileSync(pom, project(wanted))
    const lib = join(scratch, 'lib')
    await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${lib}`])
    return lib
  })
}

function project({ jars, without = [], pinned = [] }: MavenJars): string {
  const exclusions = without.map((name) => `<exclusion>${coordinates(name)}</exclusion>`).join('')
  const wanted = jars.map(
    (jar) => `<dependency>${coordinates(jar)}<exclusions>${exclusions}</exclusions></dependency>`,
  )
  const pins = pinned.map((jar) => `<dependency>${coordinates(jar)}</dependency>`)
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>jars</artifactId><version>1</version>
<dependencyManagement><dependencies>${pins.join('\n')}</dependencies></dependencyManagement>
<dependencies>${wanted.join('\n')}</dependencies></project>\n`
}

function coordinates(jar: string): string {
  const [group, artifact, version] = jar.split(':')
  const end = version === undefined ? '' : `<version>${version}</version>`
  return `<groupId>${group}</groupId><artifactId>${artifact}</artifactId>${end}`
}
