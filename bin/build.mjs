// Bundles the sources: dist/alluxio.cjs and .js (the command, one chunk a command), dist/client.js (the library), dist/ufs.js (for stores of third parties), the oclif manifest.
// Chunks are named by content and stay for a week, so that a daemon that runs on an older build still finds its own.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, transform } from 'esbuild'

const home = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(home, 'dist')
const stampFile = join(dist, '.stamp')
const WEEK_MS = 7 * 86_400_000
const started = new Date()

async function bundle() {
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  const define = { ALLUXIO_VERSION: JSON.stringify(version), ALLUXIO_REVISION: JSON.stringify(revision()) }
  const start = await transform(readFileSync(join(home, 'bin', 'main.cjs'), 'utf8'), { define, minify: true })
  writeFileSync(join(dist, 'alluxio.cjs'), start.code)
  await build({
    absWorkingDir: home,
    entryPoints: {
      alluxio: 'bin/main.mjs',
      client: 'src/client/index.ts',
      ufs: 'src/ufs/plug-in.ts',
      commands: 'src/commands/explicit.ts',
    },
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'external',
    // Packages with binaries, and those so large that only what is used should be read.
    external: [
      'zeromq',
      'lmdb',
      'koffi',
      '@node-rs/crc32',
      'apache-arrow',
      '@aws-sdk/*',
      '@smithy/*',
      'msgpackr-extract',
      // It deletes a variable, which a module may not.
      'webhdfs',
      'typescript',
      'ts-node',
    ],
    define,
    // Bundled CommonJS packages expect these.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);const __filename=import.meta.filename,__dirname=import.meta.dirname;",
    },
    plugins: [lazyOclif],
    logLevel: 'warning',
  })
}

/**
 * oclif requires its plugin loader, help, globbing and template packages at once, for any command. Its compiled files
 * name each import `x_1` and read it as `x_1.member`, so each can become a getter that loads on first use.
 */
const lazyOclif = {
  name: 'lazy-oclif',
  setup(builder) {
    builder.onLoad({ filter: /@oclif[\\/]core[\\/]lib[\\/].*\.js$/ }, ({ path }) => {
      const source = withoutStdout(path, readFileSync(path, 'utf8'))
      const names = []
      const declared = source.replace(
        /^const (\w+_\d+) = (__importDefault\(|__importStar\()?(require\("[^"]+"\))\)?;$/gm,
        (_, name, wrap, load) => {
          names.push(name)
          const value = wrap === undefined ? load : `${wrap}${load})`
          return `let ${name}$; const ${name} = { get it() { return (${name}$ ??= ${value}) } };`
        },
      )
      const contents = names.reduce(
        (text, name) => text.replace(new RegExp(`\\b${name}\\.`, 'g'), `${name}.it.`),
        declared,
      )
      return { contents, loader: 'js' }
    })
  },
}

/**
 * oclif's command asks for `process.stdout` when it is loaded. That costs the start of a stream that nobody uses, and turns
 * a pipe into a non-blocking one, into which large files go at a quarter of the speed.
 */
function withoutStdout(path, source) {
  if (!/lib[\\/]command\.js$/.test(path)) return source
  const stripped = source.replace(/^process\.stdout\.on\('error', .*?^\}\);$/ms, '')
  if (stripped === source) throw new Error('oclif has changed: look at withoutStdout in bin/build.mjs')
  return stripped
}

/** What `help`, completion and the suggestion of names read instead of loading every command. */
async function writeManifest() {
  const { manifest } = await import(`${pathToFileURL(join(dist, 'commands.js')).href}?at=${Date.now()}`)
  const file = join(home, 'oclif.manifest.json')
  writeFileSync(`${file}.new`, `${JSON.stringify(await manifest(home), null, 1)}\n`)
  renameSync(`${file}.new`, file)
}

function revision() {
  try {
    return execFileSync('git', ['-C', home, 'rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return '' // not a checkout
  }
}

/** A hash of the content of everything that a build reads from here. */
function sourceSum() {
  const hash = createHash('sha256')
  const add = (path) => hash.update(`${path}\0`).update(readFileSync(join(home, path)))
  const walk = (folder) => {
    for (const entry of readdirSync(join(home, folder), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (entry.isFile() && !path.endsWith('.test.ts')) add(path)
    }
  }
  walk('src')
  for (const path of ['bin/main.mjs', 'bin/main.cjs', 'bin/build.mjs', 'package.json', 'package-lock.json'])
    add(path)
  return hash.digest('hex')
}

function removeOldChunks() {
  const folder = join(dist, 'chunks')
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const file = join(folder, name)
    if (started - statSync(file).mtime > WEEK_MS) rmSync(file)
  }
}

/** One build at a time: commands that start together wait for the first one's. */
async function locked(run) {
  const lock = join(dist, '.lock')
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code === 'EACCES' || error.code === 'EROFS') return unwritable()
      if (error.code !== 'EEXIST') throw error
      if (!isAlive(Number(readFileSync(lock, 'utf8').trim() || process.pid))) rmSync(lock, { force: true })
      else await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  try {
    await run()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Somebody else's installation: what they built last runs, and they can bring it up to date. */
function unwritable() {
  console.log(
    `alluxio: the sources are newer than the build, and you may not write ${dist}: its owner can run bin/alluxio version`,
  )
  if (!existsSync(join(dist, 'alluxio.cjs'))) process.exitCode = 1
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

mkdirSync(dist, { recursive: true })
await locked(async () => {
  const sum = sourceSum()
  const current = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === sum
  if (!(current && process.argv.includes('--if-changed'))) {
    console.log('alluxio: building ...')
    await bundle().catch((error) => {
      // esbuild has printed its messages.
      console.log(`alluxio: ${error.errors?.length ?? 0} errors in the sources`)
      process.exitCode = 1
    })
    if (process.exitCode === 1) return
    await writeManifest()
    writeFileSync(stampFile, sum)
    removeOldChunks()
    console.log(`alluxio: built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  }
  // What was edited while the build ran is newer than the stamp.
  utimesSync(stampFile, started, started)
})
