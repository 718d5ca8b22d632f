/** Web servers that serve a folder: nginx (from Debian's archive, unpacked into the cache, not installed), Python, Node. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ServerMissing } from './binary.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

export interface WebServer {
  /** With a slash at its end. */
  readonly endpoint: string
  stop(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<void>
}

const run = promisify(execFile)

/** Path of nginx. @throws ServerMissing where there is no Debian archive */
async function nginxProgram(): Promise<string> {
  const cache = process.env.ALLUXIO_TEST_CACHE ?? join(homedir(), '.cache', 'alluxio-test')
  const target = join(cache, 'nginx')
  const program = join(target, 'usr', 'sbin', 'nginx')
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(`${target}.build-`)
  try {
    const options = { cwd: scratch }
    await run('apt-get', ['download', 'nginx'], options).catch(async () => {
      await run('apt-get', ['update', '-q'], options)
      await run('apt-get', ['download', 'nginx'], options)
    })
    const archive = readdirSync(scratch).find((name) => name.endsWith('.deb'))!
    await run('dpkg', ['-x', archive, 'root'], options)
    await run(join(scratch, 'root', 'usr', 'sbin', 'nginx'), ['-v'], options)
    rmSync(target, { recursive: true, force: true })
    renameSync(join(scratch, 'root'), target)
  } catch (error) {
    if (existsSync(program)) return program
    throw new ServerMissing(`nginx cannot be had: ${(error as Error).message.slice(0, 300)}`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return program
}

/** nginx on `folder`: indexes in HTML at `/html/`, in JSON at `/json/`, none at `/none/`; `/locked/` wants user and password. */
export async function startNginx(folder: string, passwords?: string): Promise<WebServer> {
  const program = await nginxProgram()
  const own = scratchFolder('nginx')
  const port = await freePort()
  const place = (name: string, more: string) => `location /${name}/ { alias ${folder}/; ${more} }`
  writeFileSync(join(own.path, 'passwords'), passwords ?? '')
  writeFileSync(
    join(own.path, 'nginx.conf'),
    `daemon off; master_process off; pid ${own.path}/pid; error_log ${own.path}/error.log; worker_processes 1; user root;
    events { worker_connections 256; }
    http {
      access_log ${own.path}/access.log; default_type application/octet-stream;
      client_body_temp_path ${own.path}/b; proxy_temp_path ${own.path}/p; fastcgi_temp_path ${own.path}/f;
      uwsgi_temp_path ${own.path}/u; scgi_temp_path ${own.path}/s;
      server {
        listen 127.0.0.1:${port};
        ${place('html', 'autoindex on;')}
        ${place('json', 'autoindex on; autoindex_format json;')}
        ${place('none', '')}
        ${place('locked', `autoindex on; auth_basic "x"; auth_basic_user_file ${own.path}/passwords;`)}
        location = /elsewhere { return 302 /html/dir/file; }
        location /loop/ { return 302 /loop/again/; }
        location /away/ { return 302 ftp://127.0.0.1/x; }
      }
    }`,
  )
  const endpoint = `http://127.0.0.1:${port}/`
  const args = ['-p', own.path, '-c', join(own.path, 'nginx.conf'), '-e', join(own.path, 'error.log')]
  const child = new ServerProcess({ binary: program, args }, async () => (await fetch(`${endpoint}html/`)).ok)
  return started(child, endpoint, own.remove)
}

/** `python3 -m http.server`: HTTP/1.0, no ranges, no etags. */
export async function startPythonWeb(folder: string): Promise<WebServer> {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}/`
  const args = ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', folder]
  const child = new ServerProcess({ binary: 'python3', args }, async () => (await fetch(endpoint)).ok)
  return started(child, endpoint, () => {})
}

async function started(child: ServerProcess, endpoint: string, remove: () => void): Promise<WebServer> {
  try {
    await child.start()
  } catch (error) {
    remove()
    throw error
  }
  return {
    endpoint,
    async stop() {
      await child.stop()
      remove()
    },
    kill: () => child.kill(),
    restart: () => child.start(),
  }
}
