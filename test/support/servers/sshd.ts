/** A real sshd of the system (Debian's openssh-server) with keys, users and configuration of its own in a scratch folder. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { debianPrograms, programPath, run } from './debian.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

export interface Sshd {
  readonly port: number
  /** What the server serves, as this host sees it. */
  readonly folder: string
  readonly user: string
  /** Works only for root, whose shadow entry the server sees replaced; else undefined. */
  readonly password: string | undefined
  readonly keyFile: string
  readonly knownHosts: string
  /** Options of a mount that logs in by key. */
  readonly options: Readonly<Record<string, string>>
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export async function startSshd(): Promise<Sshd> {
  await debianPrograms(['sshd', 'ssh-keygen', 'openssl'], ['openssh-server', 'openssh-client', 'openssl'])
  const scratch = scratchFolder('sshd')
  const at = (name: string) => join(scratch.path, name)
  const root = process.getuid?.() === 0
  const user = root ? 'root' : (process.env.USER ?? (await run('id', ['-un'])).trim())
  const port = await freePort()
  for (const name of ['host_key', 'user_key']) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)])
  }
  mkdirSync(at('files'))
  writeFileSync(at('authorized_keys'), readFileSync(at('user_key.pub')))
  writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${readFileSync(at('host_key.pub'), 'utf8')}`)
  writeFileSync(at('sshd_config'), configuration({ at, port, root }))
  const password = root ? 'a password, quite long' : undefined
  if (password !== undefined) await shadow(at('shadow'), password)
  const sshd = `exec ${programPath('sshd')} -D -e -f ${at('sshd_config')}`
  // A pid namespace, so that the processes of the sessions die with the server; a mount namespace for the password.
  const command = root
    ? {
        binary: 'unshare',
        args: [
          ...['--mount', '--pid', '--fork', '--kill-child=KILL', 'sh', '-c'],
          `mkdir -p /run/sshd && mount --bind ${at('shadow')} /etc/shadow && ${sshd}`,
        ],
      }
    : { binary: 'sh', args: ['-c', sshd] }
  const server = new ServerProcess(command, () => greets(port))
  await server.start()
  return {
    port,
    folder: at('files'),
    user,
    password,
    keyFile: at('user_key'),
    knownHosts: at('known_hosts'),
    options: {
      'alluxio.underfs.sftp.user': user,
      'alluxio.underfs.sftp.private.key': `file:${at('user_key')}`,
      'alluxio.underfs.sftp.known.hosts': at('known_hosts'),
    },
    kill: () => server.kill(),
    start: () => server.start(),
    async stop() {
      await server.kill()
      scratch.remove()
    },
  }
}

function configuration({
  at,
  port,
  root,
}: {
  readonly at: (name: string) => string
  readonly port: number
  readonly root: boolean
}): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host_key')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    `PidFile ${at('sshd.pid')}`,
    'StrictModes no',
    'UsePAM no',
    `PasswordAuthentication ${root ? 'yes' : 'no'}`,
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'MaxStartups 100',
    'MaxSessions 100',
    'UseDNS no',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n')
}

/** The system's shadow file with a password for root. */
async function shadow(file: string, password: string): Promise<void> {
  const hash = (await run('openssl', ['passwd', '-6', password])).trim()
  const lines = readFileSync('/etc/shadow', 'utf8').split('\n')
  writeFileSync(
    file,
    lines.map((line) => (line.startsWith('root:') ? `root:${hash}:19000:0:99999:7:::` : line)).join('\n'),
  )
  chmodSync(file, 0o640)
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
