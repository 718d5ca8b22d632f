/** Keys of the S3 gateway: the part of MasterAdmin about them. */
import type { Namespace } from '../../../namespace/index.ts'
import type { Call, Handlers, MasterAdmin } from '../../../rpc/index.ts'
import type { Callers } from './callers.ts'

type Admin = Handlers<typeof MasterAdmin>

export class CredentialService
  implements Pick<Admin, 'putCredential' | 'credentials' | 'deleteCredential' | 'signingKey'>
{
  readonly #modules: { readonly namespace: Namespace; readonly callers: Callers }

  constructor(modules: { readonly namespace: Namespace; readonly callers: Callers }) {
    this.#modules = modules
  }

  readonly putCredential: Admin['putCredential'] = async (request, call) => {
    await this.#modules.namespace.credentials.put(request, this.#caller(call))
    return {}
  }

  readonly credentials: Admin['credentials'] = (_, call) => ({
    credentials: this.#modules.namespace.credentials.list(this.#caller(call)),
  })

  readonly deleteCredential: Admin['deleteCredential'] = async ({ accessKeyId }, call) => ({
    deleted: await this.#modules.namespace.credentials.delete(accessKeyId, this.#caller(call)),
  })

  readonly signingKey: Admin['signingKey'] = (request, call) =>
    this.#modules.namespace.credentials.signingKey(request, this.#caller(call))

  #caller(call: Call) {
    return this.#modules.callers.of(call.peer.user)
  }
}
