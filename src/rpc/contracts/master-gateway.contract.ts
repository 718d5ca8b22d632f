/** What gateways keep at the master, so that all of them know the same: for daemons of the cluster, that is for the superuser. */
import { Type as T } from '@sinclair/typebox'
import { contract, unary } from '../contract.ts'
import { Bytes } from './types.ts'

const CALL = { idempotent: true, deadlineMs: 10_000 } as const
const sequence = T.Number()

/** A delegation token that has neither been cancelled nor ended. */
export const DelegationInfo = T.Object({
  sequence,
  owner: T.String(),
  renewer: T.String(),
  /** Who asked for it on behalf of the owner; else empty. */
  realUser: T.String(),
  issuedMs: T.Number(),
  /** It ends at the first of these unless it is renewed, and at the second in any case. */
  endsMs: T.Number(),
  maxMs: T.Number(),
})

export const MasterGateway = contract({
  name: 'master.gateway',
  id: 6,
  version: 1,
  methods: {
    key: unary({
      id: 1,
      ...CALL,
      doc: 'The random key of this cluster, from which gateways and workers derive those that they sign tokens with. Made once, kept in the metastore.',
      request: T.Object({}),
      response: T.Object({ key: Bytes }),
    }),
    delegate: unary({
      id: 2,
      ...CALL,
      idempotent: false,
      doc: 'Books a new delegation token. Durable.',
      request: T.Object({ owner: T.String(), renewer: T.String(), realUser: T.String() }),
      response: T.Object({ token: DelegationInfo }),
    }),
    delegation: unary({
      id: 3,
      ...CALL,
      doc: 'A delegation token as it is booked; absent when it was cancelled or has ended.',
      request: T.Object({ sequence }),
      response: T.Object({ token: T.Optional(DelegationInfo) }),
    }),
    renewDelegation: unary({
      id: 4,
      ...CALL,
      doc: 'Puts the end of a token off. PERMISSION_DENIED for any but its renewer, NOT_FOUND for one that has ended. Durable.',
      request: T.Object({ sequence, renewer: T.String() }),
      response: T.Object({ endsMs: T.Number() }),
    }),
    lease: unary({
      id: 6,
      ...CALL,
      doc: 'Takes, keeps or (0 ms) gives back the right to change the bytes of a file. CONFLICT, reason LEASE_HELD, while another holder has it. In memory: what must not mix is prevented by the publication of staged files.',
      request: T.Object({ path: T.String(), holder: T.String(), ms: T.Number() }),
      response: T.Object({}),
    }),
    cancelDelegation: unary({
      id: 5,
      ...CALL,
      doc: 'Ends a token. PERMISSION_DENIED for any but its owner and its renewer. Durable.',
      request: T.Object({ sequence, user: T.String() }),
      response: T.Object({}),
    }),
  },
})
