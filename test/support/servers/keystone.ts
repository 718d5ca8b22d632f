/** Keystone as Debian packages it (SQLite, its own small WSGI server), and a Swift that asks it who may do what. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { debianPrograms, programPath, run } from './debian.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'
import { type SwiftServer, startSwift } from './swift.ts'

const PASSWORD = 'keystone-password-8823'
const REGION = 'RegionOne'

export interface KeystoneSwift {
  readonly swift: SwiftServer
  readonly authUrl: string
  readonly region: string
  readonly container: string
  /** Gives the user of `options` another password, which ends its tokens. */
  changePassword(password: string): Promise<void>
  makeApplicationCredential(): Promise<{ readonly id: string; readonly secret: string }>
  /** Options of a mount with the password. */
  options(more?: Readonly<Record<string, string>>): Record<string, string>
  stop(): Promise<void>
}

export async function startKeystoneSwift(): Promise<KeystoneSwift> {
  await debianPrograms(
    ['keystone-manage', 'keystone-wsgi-public'],
    ['python3-keystone', 'python3-keystonemiddleware'],
  )
  const folder = scratchFolder('keystone')
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const authUrl = `${origin}/v3`
  const config = join(folder.path, 'keystone.conf')
  for (const name of ['fernet', 'credential']) mkdirSync(join(folder.path, name))
  writeFileSync(config, keystoneConf(folder.path))
  const manage = (...args: string[]) => run('keystone-manage', ['--config-file', config, ...args])
  await manage('db_sync')
  // Otherwise one of Keystone's own connections locks out the other.
  const wal = `import sqlite3; sqlite3.connect('${folder.path}/keystone.db').execute('pragma journal_mode=wal')`
  await run('/usr/bin/python3', ['-c', wal])
  const owner = ['--keystone-user', 'root', '--keystone-group', 'root']
  await manage('fernet_setup', ...owner)
  await manage('credential_setup', ...owner)
  const urls = ['public', 'internal', 'admin'].flatMap((kind) => [`--bootstrap-${kind}-url`, authUrl])
  await manage('bootstrap', '--bootstrap-password', PASSWORD, '--bootstrap-region-id', REGION, ...urls)
  const args = ['--host', '127.0.0.1', '--port', String(port), '--', '--config-file', config]
  const keystone = new ServerProcess(
    { binary: programPath('keystone-wsgi-public')!, args },
    async () => (await fetch(authUrl)).ok,
  )
  let swift: SwiftServer | undefined
  try {
    await keystone.start()
    swift = await startSwift({ auth: swiftAuth(authUrl) })
    const { token, user } = await administrator(authUrl)
    const identity = async (method: string, path: string, body?: unknown) => {
      const answer = await fetch(authUrl + path, {
        method,
        headers: { 'x-auth-token': token, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return text === '' ? {} : JSON.parse(text)
    }
    const { service } = await identity('POST', '/services', {
      service: { type: 'object-store', name: 'swift' },
    })
    const { projects } = await identity('GET', '/projects?name=admin')
    for (const kind of ['public', 'internal']) {
      // The internal one leads nowhere, so that it shows which one was taken.
      const host = kind === 'public' ? swift.endpoint : 'http://127.0.0.1:9'
      const url = `${host}/v1/AUTH_${projects[0].id}`
      await identity('POST', '/endpoints', {
        endpoint: { service_id: service.id, interface: kind, region_id: REGION, url },
      })
    }
    await fetch(`${swift.endpoint}/v1/AUTH_${projects[0].id}/${swift.container}`, {
      method: 'PUT',
      headers: { 'x-auth-token': token },
    })
    const { user: tenant } = await identity('POST', '/users', {
      user: { name: 'alluxio', password: PASSWORD },
    })
    const { roles } = await identity('GET', '/roles?name=member')
    await identity('PUT', `/projects/${projects[0].id}/users/${tenant.id}/roles/${roles[0].id}`)
    const running = swift
    return {
      swift,
      authUrl,
      region: REGION,
      container: swift.container,
      async changePassword(password) {
        await identity('PATCH', `/users/${tenant.id}`, { user: { password } })
        // Of tokens Keystone knows the second of their making only: none of this one is good any more.
        await pause(1100)
      },
      async makeApplicationCredential() {
        const { application_credential: made } = await identity(
          'POST',
          `/users/${user}/application_credentials`,
          {
            application_credential: { name: 'alluxio', roles: [{ name: 'admin' }] },
          },
        )
        return { id: made.id, secret: made.secret }
      },
      options: (more = {}) => ({
        'fs.swift.auth.method': 'keystonev3',
        'fs.swift.auth.url': authUrl,
        'fs.swift.user': 'alluxio',
        'fs.swift.tenant': 'admin',
        'fs.swift.password': PASSWORD,
        ...more,
      }),
      async stop() {
        await running.stop()
        await keystone.stop()
        folder.remove()
      },
    }
  } catch (error) {
    await swift?.stop()
    await keystone.stop()
    folder.remove()
    throw error
  }
}

async function administrator(authUrl: string): Promise<{ token: string; user: string }> {
  const answer = await fetch(`${authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'admin', domain: { name: 'Default' }, password: PASSWORD } },
        },
        scope: { project: { name: 'admin', domain: { name: 'Default' } } },
      },
    }),
  })
  const { token } = (await answer.json()) as { token: { user: { id: string } } }
  return { token: answer.headers.get('x-subject-token')!, user: token.user.id }
}

function keystoneConf(folder: string): string {
  return `[DEFAULT]
log_file = ${folder}/keystone.log
[database]
connection = sqlite:///${folder}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = ${folder}/fernet
[fernet_receipts]
key_repository = ${folder}/fernet
[credential]
key_repository = ${folder}/credential
`
}

function swiftAuth(authUrl: string): { pipeline: string; sections: string } {
  return {
    pipeline: 'authtoken keystoneauth',
    // Tokens are not kept, so that a revoked one is refused at once.
    sections: `[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = ${authUrl}
auth_url = ${authUrl}
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = admin
username = admin
password = ${PASSWORD}
delay_auth_decision = False
token_cache_time = -1
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member`,
  }
}
