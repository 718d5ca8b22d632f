/** What gateways keep at the master: the key that tokens are signed with, and delegation tokens. */
import type { Client, DelegationInfo, Infer, MasterGateway } from '../rpc/index.ts'

/** A delegation token that has neither been cancelled nor ended. */
export type Delegation = Infer<typeof DelegationInfo>

/** For daemons of the cluster. All throw PERMISSION_DENIED when this program does not run as the master's user. */
export interface GatewayKeys {
  /** The cluster's key; asked for once. */
  key(): Promise<Uint8Array>
  delegate(owner: string, renewer: string, realUser: string): Promise<Delegation>
  delegation(sequence: number): Promise<Delegation | undefined>
  /** When it ends now, ms. @throws NOT_FOUND reason INVALID_TOKEN, PERMISSION_DENIED */
  renew(sequence: number, renewer: string): Promise<number>
  cancel(sequence: number, user: string): Promise<void>
  /** Takes, keeps or (0 ms) gives back the right to change the bytes of a file. @throws CONFLICT reason LEASE_HELD */
  lease(path: string, holder: string, ms: number): Promise<void>
}

export function gatewayKeysOf(master: Client<typeof MasterGateway>): GatewayKeys {
  let asked: Promise<Uint8Array> | undefined
  return {
    key: () => {
      asked ??= master.key({}).then(
        ({ key }) => Uint8Array.from(key),
        (error: unknown) => {
          asked = undefined
          throw error
        },
      )
      return asked
    },
    delegate: async (owner, renewer, realUser) => (await master.delegate({ owner, renewer, realUser })).token,
    delegation: async (sequence) => (await master.delegation({ sequence })).token,
    renew: async (sequence, renewer) => (await master.renewDelegation({ sequence, renewer })).endsMs,
    lease: async (path, holder, ms) => {
      await master.lease({ path, holder, ms })
    },
    cancel: async (sequence, user) => {
      await master.cancelDelegation({ sequence, user })
    },
  }
}
