// The process of the command line: the only place that ends it.
import { dirname } from 'node:path'
import { runCommandLine } from '../src/commands/index.ts'

// dist/alluxio.js stands one folder below the installation.
process.env.ALLUXIO_HOME ??= dirname(import.meta.dirname)
process.exit(await runCommandLine(process.argv.slice(2)))
