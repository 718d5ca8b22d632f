/** What gateways keep at the master (MasterGateway): the cluster's key and its delegation tokens, in the metastore's table of singles. */
import { AlluxioError, type Runtime } from '../../../core/index.ts'
import type { Change, RecordStore } from '../../../metastore/store.ts'
import type { Namespace } from '../../../namespace/index.ts'
import type { Call, DelegationInfo, Handlers, Infer, MasterGateway } from '../../../rpc/index.ts'
import type { Callers } from './callers.ts'

type Service = Handlers<typeof MasterGateway>
type Delegation = Infer<typeof DelegationInfo>

export interface GatewayServiceModules {
  readonly store: RecordStore
  readonly namespace: Namespace
  readonly callers: Callers
  readonly runtime: Runtime
}

const KEY_BYTES = 32
const KEY = Buffer.from('gateway-key')
const LAST = Buffer.from('delegation-last')
const PREFIX = 'delegation/'
/** As HDFS has it: a day from each renewal, a week in all. */
const RENEWED_MS = 24 * 3600_000
const MAX_MS = 7 * RENEWED_MS
/** Tokens that a master books; whoever asks for one more has to wait until some have ended. */
const MAX_TOKENS = 100_000
const MAX_NAME_LENGTH = 256
const MAX_LEASE_MS = 60_000

export class GatewayService implements Service {
  readonly #modules: GatewayServiceModules
  #booked: number | undefined
  readonly #leases = new Map<string, { readonly holder: string; readonly untilMs: number }>()

  constructor(modules: GatewayServiceModules) {
    this.#modules = modules
  }

  readonly key: Service['key'] = async (_, call) => {
    this.#check(call)
    const { store, runtime } = this.#modules
    const known = store.get('meta', KEY)
    if (known !== undefined) {
      await store.durable()
      return { key: known }
    }
    const key = Buffer.from(runtime.randomBytes(new Uint8Array(KEY_BYTES)))
    await this.#commit([{ table: 'meta', key: KEY, value: key }])
    return { key }
  }

  readonly delegate: Service['delegate'] = async ({ owner, renewer, realUser }, call) => {
    this.#check(call)
    for (const name of [owner, renewer, realUser]) {
      if (name.length > MAX_NAME_LENGTH)
        throw new AlluxioError('INVALID_ARGUMENT', 'the name of a user is too long')
    }
    const { store, runtime } = this.#modules
    if (this.#count() >= MAX_TOKENS) this.#sweep()
    if (this.#count() >= MAX_TOKENS) {
      throw new AlluxioError(
        'RESOURCE_EXHAUSTED',
        `there are ${MAX_TOKENS} delegation tokens already: cancel some`,
      )
    }
    const sequence = (store.get('meta', LAST)?.readDoubleBE(0) ?? 0) + 1
    const issuedMs = runtime.now()
    const token = {
      ...{ sequence, owner, renewer, realUser, issuedMs },
      endsMs: issuedMs + RENEWED_MS,
      maxMs: issuedMs + MAX_MS,
    }
    const last = Buffer.alloc(8)
    last.writeDoubleBE(sequence)
    this.#booked = this.#count() + 1
    await this.#commit([{ table: 'meta', key: LAST, value: last }, booking(token)])
    return { token }
  }

  readonly delegation: Service['delegation'] = async ({ sequence }, call) => {
    this.#check(call)
    const token = this.#live(sequence)
    await this.#modules.store.durable()
    return token === undefined ? {} : { token }
  }

  readonly renewDelegation: Service['renewDelegation'] = async ({ sequence, renewer }, call) => {
    this.#check(call)
    const token = this.#existing(sequence)
    if (token.renewer === '' || token.renewer !== renewer) {
      throw new AlluxioError(
        'PERMISSION_DENIED',
        `user ${renewer} may not renew this token of ${token.owner}: only "${token.renewer}" may`,
      )
    }
    const endsMs = Math.min(token.maxMs, this.#modules.runtime.now() + RENEWED_MS)
    await this.#commit([booking({ ...token, endsMs })])
    return { endsMs }
  }

  readonly lease: Service['lease'] = ({ path, holder, ms }, call) => {
    this.#check(call)
    const nowMs = this.#modules.runtime.monotonic()
    const held = this.#leases.get(path)
    if (held !== undefined && held.holder !== holder && held.untilMs > nowMs) {
      throw new AlluxioError(
        'CONFLICT',
        `${path} is being changed by another writer: try again when it has ended`,
        {
          reason: 'LEASE_HELD',
          details: { path },
        },
      )
    }
    this.#leases.delete(path)
    if (ms > 0) this.#leases.set(path, { holder, untilMs: nowMs + Math.min(ms, MAX_LEASE_MS) })
    // Those renewed last are at the end.
    for (const [other, { untilMs }] of this.#leases) {
      if (untilMs > nowMs) break
      this.#leases.delete(other)
    }
    return {}
  }

  readonly cancelDelegation: Service['cancelDelegation'] = async ({ sequence, user }, call) => {
    this.#check(call)
    const token = this.#existing(sequence)
    if (user !== token.owner && user !== token.renewer) {
      throw new AlluxioError('PERMISSION_DENIED', `user ${user} may not cancel a token of ${token.owner}`)
    }
    this.#booked = this.#count() - 1
    await this.#commit([{ table: 'meta', key: keyOf(sequence), value: null }])
    return {}
  }

  #existing(sequence: number): Delegation {
    const token = this.#live(sequence)
    if (token !== undefined) return token
    throw new AlluxioError('NOT_FOUND', `delegation token ${sequence} was cancelled or has ended`, {
      reason: 'INVALID_TOKEN',
    })
  }

  #live(sequence: number): Delegation | undefined {
    const found = this.#modules.store.get('meta', keyOf(sequence))
    if (found === undefined) return undefined
    const token = JSON.parse(found.toString()) as Delegation
    return token.endsMs > this.#modules.runtime.now() ? token : undefined
  }

  #count(): number {
    this.#booked ??= [...this.#all()].length
    return this.#booked
  }

  *#all(): Iterable<{ readonly key: Buffer; readonly token: Delegation }> {
    const range = { start: Buffer.from(PREFIX), end: Buffer.from(`${PREFIX}~`) }
    for (const { key, value } of this.#modules.store.range('meta', range))
      yield { key, token: JSON.parse(value.toString()) as Delegation }
  }

  /** What has ended goes when room is needed. */
  #sweep(): void {
    const nowMs = this.#modules.runtime.now()
    const ended = [...this.#all()].filter(({ token }) => token.endsMs <= nowMs)
    this.#booked = this.#count() - ended.length
    void this.#commit(ended.map(({ key }) => ({ table: 'meta', key, value: null })))
  }

  #commit(changes: readonly Change[]): Promise<void> {
    return this.#modules.store.commit(changes)
  }

  #check(call: Call): void {
    const { namespace, callers } = this.#modules
    const { user } = call.peer
    if (namespace.isSuperuser(callers.of(user))) return
    throw new AlluxioError(
      'PERMISSION_DENIED',
      `user ${user} may not have the keys of gateways: run proxies and workers as the user that the master runs as`,
    )
  }
}

function booking(token: Delegation): Change {
  return { table: 'meta', key: keyOf(token.sequence), value: Buffer.from(JSON.stringify(token)) }
}

function keyOf(sequence: number): Buffer {
  return Buffer.from(PREFIX + String(sequence).padStart(16, '0'))
}
