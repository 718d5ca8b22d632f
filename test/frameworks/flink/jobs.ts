/** The plug-in, the jobs of the tests and the settings of the guide. */
import { resolve } from 'node:path'
import type { Cluster } from '../../support/cluster.ts'
import { guideBlock } from '../../support/guide.ts'
import { complete } from '../../support/servers/process.ts'

/** Path of the plug-in, built if it is not there. @throws Error without a JDK or Maven */
export async function pluginJar(): Promise<string> {
  await complete({ binary: resolve('bin/alluxio'), args: ['plugins', 'build', 'flink'], timeoutMs: 600_000 })
  return resolve('plugins/dist/alluxio-flink.jar')
}

/** Maven on the jobs, whose `flink-jobs.jar` goes into the folder. */
export function jobsMaven(folder: string, plugin: string, ...args: readonly string[]): Promise<string> {
  const pom = resolve('test/frameworks/flink/jobs/pom.xml')
  const where = [`-Dbuild.folder=${folder}`, `-Dalluxio.jar=${plugin}`]
  return complete({ binary: 'mvn', args: ['-q', '-B', '-f', pom, ...where, ...args], timeoutMs: 400_000 })
}

/** config.yaml of the guide. */
export function guideSettings({ webHdfs }: Cluster): Record<string, string> {
  const lines = guideBlock('flink', 'config.yaml', { '127.0.0.1:39870': webHdfs }).trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]))
}
