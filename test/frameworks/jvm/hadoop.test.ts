/** The jar with Hadoop 3.3 and 3.4 on the class path: the shell, and FileContext. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster } from '../../support/cluster.ts'
import { guideBlock } from '../../support/guide.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { javaAndMaven, mavenJars } from '../../support/servers/maven.ts'
import { complete } from '../../support/servers/process.ts'
import { hadoopJar } from '../gateways.ts'

const { reason } = await ifAvailable(async () => {
  await javaAndMaven()
  return { stop: async () => {} }
})
let cluster: Cluster

beforeAll(async () => {
  if (reason === undefined) cluster = await Cluster.start({ proxy: true })
}, 120_000)
afterAll(() => cluster?.dispose())

const suite = reason === undefined ? describe : describe.skip
suite(`alluxio:// beside Hadoop${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each(['3.3.6', '3.4.1'])(
    '%s: files, attributes, lists and FileContext',
    async (version) => {
      const root = `/hadoop-${version}`
      const run = await hadoop(version, root)
      // FileContext finds the file system by the key of the guide, makes, lists with locations, renames and reads.
      expect(JSON.parse(await run('Walk', [root, `alluxio://${cluster.webHdfs}${root}/by-token`]))).toEqual({
        read: 'a file context',
        locations: ['127.0.0.1'],
        capabilities: [true, true, true, false],
        xattr: 'value',
        acl: ['user:bob:r-x', 'group::r-x'],
        checksum: true,
        summary: [1, 14],
        home: `alluxio:/user/${process.env.USER ?? 'root'}`,
        vectored: 'file',
        aborted: false,
        owner: process.env.USER ?? 'root',
      })
      const shell = (...words: string[]) => run('org.apache.hadoop.fs.FsShell', words)
      await shell('-mkdir', '-p', `${root}/shell`)
      await shell('-put', import.meta.filename, `${root}/shell/test.ts`)
      expect(await shell('-cat', `alluxio://${cluster.webHdfs}${root}/shell/test.ts`)).toContain(
        'FileContext finds',
      )
      expect(await shell('-ls', '-R', root)).toMatch(/-rw-r--r-- .* \/hadoop-[\d.]+\/shell\/test.ts/)
      expect(await shell('-count', root)).toMatch(/\s+3\s+3\s+\d+/)
      await shell('-rm', '-r', '-skipTrash', root)
    },
    240_000,
  )
})

/** Runs a class with the jar, Hadoop of a version and the configuration of the guide; resolves with what it prints. */
async function hadoop(version: string, name: string) {
  const lib = await mavenJars({
    name: `hadoop-client-${version}`,
    jars: [
      `org.apache.hadoop:hadoop-client-api:${version}`,
      `org.apache.hadoop:hadoop-client-runtime:${version}`,
      'org.slf4j:slf4j-nop:1.7.36',
    ],
  })
  const folder = join(cluster.folder, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'core-site.xml'),
    guideBlock('hadoop', 'core-site.xml', { '127.0.0.1:39870': cluster.webHdfs }).replace(
      '</configuration>',
      '<property><name>fs.defaultFS</name><value>alluxio:///</value></property></configuration>',
    ),
  )
  const classPath = [folder, await hadoopJar(), `${lib}/*`].join(':')
  const source = new URL('Walk.java', import.meta.url).pathname
  await complete({ binary: 'javac', args: ['-nowarn', '-proc:none', '-cp', classPath, '-d', folder, source] })
  return (main: string, args: readonly string[]) =>
    complete({ binary: 'java', args: ['-Xmx256m', '-cp', classPath, main, ...args] })
}
