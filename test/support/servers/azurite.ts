/** Azurite, Microsoft's emulator of Azure Storage: checks signatures, keeps its blobs in a folder. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ServerMissing } from './binary.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

const VERSION = '3.35.0'

export interface Azurite {
  /** Of the blob service, with the account in its path. */
  readonly endpoint: string
  readonly account: string
  /** Base64. */
  readonly key: string
  /** Options of a mount. */
  options(more?: Readonly<Record<string, string>>): Record<string, string>
  stop(): Promise<void>
  pause(): void
  resume(): void
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Folder with the package and its dependencies, installed on first use. @throws ServerMissing without a registry */
async function azuriteFolder(): Promise<string> {
  const cache = process.env.ALLUXIO_TEST_CACHE ?? join(homedir(), '.cache', 'alluxio-test')
  const target = join(cache, 'npm', `azurite-${VERSION}`)
  if (existsSync(target)) return target
  mkdirSync(join(cache, 'npm'), { recursive: true })
  const scratch = mkdtempSync(`${target}.build-`)
  try {
    writeFileSync(join(scratch, 'package.json'), '{"private":true}')
    await npmInstall(scratch, `azurite@${VERSION}`)
    if (!existsSync(target)) renameSync(scratch, target)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return target
}

function npmInstall(folder: string, what: string): Promise<void> {
  const args = ['install', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '-E', what]
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-1000)
    })
    child.once('error', (error) => reject(new ServerMissing(`npm: ${error.message}`)))
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new ServerMissing(`npm install ${what} failed: ${said}`)),
    )
  })
}

export async function startAzurite(): Promise<Azurite> {
  const folder = await azuriteFolder()
  const data = scratchFolder('azurite')
  const port = await freePort()
  const account = 'testaccount'
  const key = Buffer.from('a test key of a storage account').toString('base64')
  const endpoint = `http://127.0.0.1:${port}/${account}`
  const program = join(folder, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js')
  const args = [program, '--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', data.path]
  const child = new ServerProcess(
    {
      binary: process.execPath,
      args: [...args, '--silent', '--disableTelemetry', '--disableProductStyleUrl'],
      env: { AZURITE_ACCOUNTS: `${account}:${key}` },
    },
    async () => (await fetch(`${endpoint}/x?comp=list&restype=container`)).status < 500,
  )
  try {
    await child.start()
  } catch (error) {
    data.remove()
    throw error
  }
  return {
    endpoint,
    account,
    key,
    options: (more = {}) => ({
      'alluxio.underfs.azure.endpoint': endpoint,
      'alluxio.underfs.azure.account': account,
      'alluxio.underfs.azure.account.key': key,
      ...more,
    }),
    async stop() {
      await child.stop()
      data.remove()
    },
    pause: () => child.pause(),
    resume: () => child.resume(),
    kill: () => child.kill(),
    restart: () => child.start(),
  }
}
