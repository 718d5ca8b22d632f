/** The file known_hosts of OpenSSH: which keys a host may show. Nothing is ever accepted because it is new. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { AlluxioError } from 'alluxio/ufs'

export class KnownHosts {
  #file
  #where
  /** Base64 of the key, by its type. */
  #keys = []
  #revoked = []

  /** @throws NOT_FOUND, PERMISSION_DENIED */
  constructor(file, host, port) {
    this.#file = file
    this.#where = port === 22 ? host : `[${host}]:${port}`
    for (const line of readFileSync(file, 'utf8').split('\n')) this.#add(line)
  }

  /** The signatures to ask the server for, so that it shows a key that we know; undefined when we know none. */
  get algorithms() {
    const types = this.#keys.map(({ type }) => type)
    if (types.length === 0) return undefined
    return [
      ...new Set(types.flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]))),
    ]
  }

  /** Why a key that the server shows is refused; undefined when it is known. */
  refusal(key) {
    const text = key.toString('base64')
    if (this.#revoked.includes(text)) return this.#error(key, 'is revoked')
    if (this.#keys.some((known) => known.key === text)) return undefined
    return this.#error(
      key,
      this.#keys.length === 0 ? 'is not known' : 'is not the one that is known: somebody may be in between',
    )
  }

  #add(line) {
    const words = line.trim().split(/\s+/)
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined
    const [hosts, type, key] = words
    // Certificates of authorities would need their own checks: hosts are known by their keys alone.
    if (key === undefined || hosts.startsWith('#') || marker === '@cert-authority') return
    if (!matches(hosts, this.#where)) return
    if (marker === '@revoked') this.#revoked.push(key)
    else this.#keys.push({ type, key })
  }

  #error(key, what) {
    const print = createHash('sha256').update(key).digest('base64').replace(/=+$/, '')
    return new AlluxioError(
      'UNAUTHENTICATED',
      `the host key of ${this.#where} (SHA256:${print}) ${what} in ${this.#file}: when it is right, add what ssh-keyscan prints`,
      { reason: 'SFTP_HOST_KEY' },
    )
  }
}

function matches(hosts, where) {
  if (hosts.startsWith('|1|')) {
    const [, , salt = '', hash = ''] = hosts.split('|')
    const expected = Buffer.from(hash, 'base64')
    const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(where).digest()
    return actual.length === expected.length && timingSafeEqual(actual, expected)
  }
  let found = false
  for (const pattern of hosts.split(',')) {
    const negated = pattern.startsWith('!')
    if (!glob(negated ? pattern.slice(1) : pattern, where)) continue
    if (negated) return false
    found = true
  }
  return found
}

function glob(pattern, text) {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${escaped}$`, 'i').test(text)
}
