/** nginx with sendfile over a folder: how fast files can be served here at all. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from './machine.ts'
import { Server } from './side.ts'

export interface Nginx {
  readonly endpoint: string
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** @throws when the machine has no nginx */
export async function startNginx(folder: string, directory: string): Promise<Nginx> {
  const [port] = await freePorts(1)
  const home = join(directory, 'nginx')
  mkdirSync(home, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join(' ')
  const http = `access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; ${temporary}`
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; worker_processes 1; user root; pid ${home}/pid; error_log ${home}/error.log;
events { worker_connections 1024; }
http { ${http} server { listen 127.0.0.1:${port}; root ${folder}; } }
`,
  )
  const server = new Server(['nginx', '-c', join(home, 'nginx.conf'), '-p', home], join(home, 'out'))
  await server.listening(port!, 10_000)
  return { endpoint: `http://127.0.0.1:${port}`, pids: server.pids, stop: () => server.stop() }
}
