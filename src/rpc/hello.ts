/** What client and server tell each other when a session starts, and whether they can talk. */
import { type Static, Type as T } from '@sinclair/typebox'
import { AlluxioError } from '../core/index.ts'
import type { Contract } from './contract.ts'
import { codecOf } from './schema-codec.ts'

const ContractVersion = T.Object({
  id: T.Integer({ minimum: 0, maximum: 255 }),
  name: T.String({ maxLength: 128 }),
  version: T.Integer({ minimum: 0 }),
})
export type ContractVersion = Static<typeof ContractVersion>

const ClientHello = T.Object({
  user: T.String({ maxLength: 256 }),
  /** The host as the client names itself: locality is judged by it. */
  host: T.String({ maxLength: 256 }),
  clientId: T.String({ maxLength: 256 }),
  contracts: T.Array(ContractVersion, { maxItems: 256 }),
})
export type ClientHello = Static<typeof ClientHello>

const ServerHello = T.Object({
  /** Another value after each start of the server. */
  serverId: T.String(),
  /** Bytes of an upload that may be sent before the first CREDIT. */
  windowBytes: T.Number(),
  bodyBytes: T.Number(),
  payloadBytes: T.Number(),
  contracts: T.Array(ContractVersion),
})
export type ServerHello = Static<typeof ServerHello>

export const clientHello = codecOf(ClientHello, 'hello')
export const serverHello = codecOf(ServerHello, 'hello reply')

export function versionOf(contract: Contract): ContractVersion {
  return { id: contract.id, name: contract.name, version: contract.version }
}

/** @throws UNSUPPORTED, reason CONTRACT_VERSION or CONTRACT_UNKNOWN, naming both sides' versions. */
export function checkVersions(wanted: readonly ContractVersion[], served: readonly ContractVersion[]): void {
  for (const want of wanted) {
    const have = served.find((candidate) => candidate.id === want.id)
    if (have === undefined || have.name !== want.name) {
      throw new AlluxioError(
        'UNSUPPORTED',
        `the server does not serve ${want.name}; it serves ${served.map((c) => c.name).join(', ') || 'nothing'}: check the address and port`,
        { reason: 'CONTRACT_UNKNOWN' },
      )
    }
    if (have.version !== want.version) {
      const older = have.version < want.version ? 'server' : 'client'
      throw new AlluxioError(
        'UNSUPPORTED',
        `the client speaks version ${want.version} of ${want.name}, the server version ${have.version}: upgrade the ${older}`,
        { reason: 'CONTRACT_VERSION' },
      )
    }
  }
}
