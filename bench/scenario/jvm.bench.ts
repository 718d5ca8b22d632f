/**
 * What the JVM client of `plugins/jvm-client` does a second, on a cluster of its own: sequential and positioned reads of a warm
 * file on the same host, writes, metadata by our connections and by the JDK's clients, listings and opens of small files.
 *
 *   node bench/scenario/jvm.bench.ts [--mib=1024] [--seconds=3] [--small=2000] [--only=small]
 *
 * Prints JSON lines; `cpuPerUnitUs` is the CPU of the JVM and of the daemons, microseconds a call or a GB. Needs a JDK and Maven.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hadoopJar } from '../../test/frameworks/gateways.ts'
import { Cluster } from '../../test/support/cluster.ts'

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    seconds: { type: 'string', default: '3' },
    small: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
  },
})
const cluster = await Cluster.start({ proxy: true, memory: `${Number(flags.mib) * 2 + 64}MB` })
try {
  const program = join(import.meta.dirname, 'jvm', 'JvmBench.java')
  const bytes = String(Number(flags.mib) * 2 ** 20)
  const args = [
    '-Xmx512m',
    '-cp',
    await hadoopJar(),
    program,
    cluster.webHdfs,
    '/bench',
    bytes,
    flags.seconds,
    flags.small,
    flags.only,
    Object.entries({ proxy: cluster.proxy!, master: cluster.master, worker: cluster.workers[0]! })
      .map(([name, { pid }]) => `${name}=${pid}`)
      .join(),
  ]
  process.exitCode = spawnSync('java', args, { stdio: 'inherit' }).status ?? 1
} finally {
  await cluster.dispose()
}
