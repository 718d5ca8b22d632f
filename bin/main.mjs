// The process of the command line: the only place that ends it. `version` is answered before anything is loaded.
import { writeSync } from 'node:fs'
import { dirname } from 'node:path'

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === 'version' || argv[0] === '--version'))
  writeSync(1, `${ALLUXIO_VERSION}\n`)
else {
  // dist/alluxio.js stands one folder below the installation.
  process.env.ALLUXIO_HOME ??= dirname(import.meta.dirname)
  const { runCommandLine } = await import('../src/commands/index.ts')
  process.exit(await runCommandLine(argv))
}
