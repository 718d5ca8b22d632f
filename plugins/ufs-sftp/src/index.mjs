/** SFTP servers as under-stores: `sftp://host[:port]/folder`. See README.md for the options. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { AlluxioError } from 'alluxio/ufs'
import { Connections } from './connections.mjs'
import { SftpStore } from './sftp-store.mjs'

const PREFIX = 'alluxio.underfs.sftp.'

/** @type {import('alluxio/ufs').UfsFactory} */
export default {
  schemes: ['sftp'],
  async open(uri, options, { log, onApiCall, runtime, secret }) {
    const option = (name) => options[PREFIX + name] || undefined
    const secretOf = (name) => {
      const text = option(name)
      if (text === undefined) return undefined
      if (!/^(env|file):/.test(text))
        throw invalid(`${PREFIX}${name} is a secret: write env:NAME or file:PATH`)
      return secret(PREFIX + name, text).reveal()
    }
    const { host, port } = addressOf(uri)
    const user = option('user')
    const password = secretOf('password')
    const privateKey = secretOf('private.key')
    if (user === undefined) throw invalid(`say whom to log in as: ${PREFIX}user=NAME`)
    if (password === undefined && privateKey === undefined) {
      throw invalid(`say how to log in: ${PREFIX}private.key=file:PATH or ${PREFIX}password=env:NAME`)
    }
    const count = Number(option('connections') ?? 2)
    if (!(count >= 1 && count <= 64)) throw invalid(`${PREFIX}connections is a number from 1 to 64`)
    const connections = new Connections(
      {
        host,
        port,
        user,
        password,
        privateKey,
        passphrase: secretOf('passphrase'),
        knownHosts: option('known.hosts') ?? join(homedir(), '.ssh', 'known_hosts'),
        count,
      },
      { log, onApiCall },
    )
    return new SftpStore(`/${uri.path}`, { connections, runtime })
  },
}

function addressOf({ authority, text }) {
  const [, host, port = '22'] = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+)(?::(\d+))?$/.exec(authority) ?? []
  if (host === undefined)
    throw invalid(`${text} names no host: write sftp://host/folder or sftp://host:port/folder`)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function invalid(message) {
  return new AlluxioError('INVALID_ARGUMENT', message, { reason: 'INVALID_UFS_OPTION' })
}
