/** Which names and addresses mean this host, so that a client knows the workers whose tier files it can open itself. */
import { hostname, networkInterfaces } from 'node:os'

/**
 * Lower-case names and addresses of this host. A configured name stands alone: then only workers of exactly that host
 * count as local, which is what containers with a host network of their own need.
 */
export function namesOfThisHost(configured: string): ReadonlySet<string> {
  if (configured !== '') return new Set([configured.toLowerCase()])
  const names = new Set(['localhost', 'localhost.localdomain', '::1', hostname().toLowerCase()])
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) names.add(address.toLowerCase())
  }
  return names
}

export function isThisHost(host: string, names: ReadonlySet<string>): boolean {
  const name = host.toLowerCase()
  return names.has(name) || (name.startsWith('127.') && names.has('127.0.0.1'))
}
