/** Finds the servers' programs in the cache of test programs, or builds them from the Go module proxy at pinned versions. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export class ServerMissing extends Error {}

const GO_MODULES: Readonly<Record<string, { readonly module: string; readonly program: string }>> = {
  minio: {
    module: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
    program: 'minio',
  },
  versitygw: { module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0', program: 'versitygw' },
  toxiproxy: { module: 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0', program: 'server' },
}
const OWN_SOURCES = fileURLToPath(new URL('../s3-latency/', import.meta.url))

/** Outside the repository, so that a clean clone does not build again. */
function binFolder(): string {
  const folder = join(process.env.ALLUXIO_TEST_CACHE ?? join(homedir(), '.cache', 'alluxio-test'), 'bin')
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Path of a server from the Go module proxy. @throws ServerMissing with the reason */
export async function goServer(name: string): Promise<string> {
  const known = GO_MODULES[name]
  if (known === undefined) throw new ServerMissing(`no server is called ${name}`)
  const target = join(binFolder(), name)
  await build(target, async (scratch) => {
    await go(['install', '-ldflags=-s -w', known.module], { GOBIN: scratch, CGO_ENABLED: '0' })
    return join(scratch, known.program)
  })
  return target
}

/** Path of our own server with latency. */
export function latencyServer(): Promise<string> {
  return ownGoProgram('s3-latency', OWN_SOURCES)
}

/** Path of a program built from a folder of sources; a change of them builds it anew. @throws ServerMissing with the reason */
export async function ownGoProgram(name: string, sources: string): Promise<string> {
  const hash = createHash('sha256')
  for (const file of readdirSync(sources).sort()) hash.update(readFileSync(join(sources, file)))
  const target = join(binFolder(), `${name}-${hash.digest('hex').slice(0, 12)}`)
  await build(target, async (scratch) => {
    const program = join(scratch, name)
    const options = ['-buildvcs=false', '-ldflags=-s -w', '-o', program]
    await go(['build', ...options, '.'], { CGO_ENABLED: '0' }, sources)
    return program
  })
  return target
}

/** A folder beside the programs that `make` fills once; it returns the part of its scratch folder that is kept. */
export async function cached(name: string, make: (scratch: string) => Promise<string>): Promise<string> {
  const target = join(binFolder(), name)
  await build(target, make)
  return target
}

/** Builds unless it is there. Several test processes may want the same program: the first builds, the others wait. */
async function build(target: string, make: (scratch: string) => Promise<string>): Promise<void> {
  const lock = `${target}.lock`
  while (!existsSync(target)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
    } catch {
      if (!holderLives(lock)) rmSync(lock, { force: true })
      await delay(500)
      continue
    }
    const scratch = mkdtempSync(`${target}.build-`)
    try {
      renameSync(await make(scratch), target)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
      rmSync(lock, { force: true })
    }
  }
}

function holderLives(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0)
    return true
  } catch {
    return false
  }
}

function go(args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, {
      // Debian and the tarball of Go put it where a PATH may not lead.
      env: { ...process.env, PATH: [process.env.PATH, '/usr/local/go/bin'].join(delimiter), ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000)
    })
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ServerMissing(error.code === 'ENOENT' ? 'go is not installed' : `go: ${error.message}`)),
    )
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new ServerMissing(`go ${args.join(' ')} failed: ${said.trim()}`)),
    )
  })
}
