/** The client of a contract: one function a method, made once. */
import {
  type CalledMethod,
  type CallRunner,
  type ClientCall,
  DownloadCall,
  UnaryCall,
  UploadCall,
} from './client-call.ts'
import type { CallOptions, Client, Contract } from './contract.ts'
import { codecOf } from './schema-codec.ts'

export interface CallStarter extends CallRunner {
  start(call: ClientCall): void
}

export function typedClient<C extends Contract>(contract: C, runner: CallStarter): Client<C> {
  const client: Record<string, unknown> = Object.create(null)
  for (const [key, method] of Object.entries(contract.methods)) {
    const name = `${contract.name}.${key}`
    client[key] = caller(runner, {
      name,
      contractId: contract.id,
      method,
      request: codecOf(method.request, `${name} request`),
      response: method.kind === 'download' ? undefined : codecOf(method.response, `${name} response`),
      item: method.kind === 'unary' ? undefined : codecOf(method.item, `${name} item`),
    })
  }
  return client as Client<C>
}

type Caller = (request: unknown, options?: CallOptions) => unknown

function caller(runner: CallStarter, method: CalledMethod): Caller {
  switch (method.method.kind) {
    case 'unary':
      return (request, options) =>
        new Promise((resolve, reject) => {
          runner.start(new UnaryCall(runner, method, request, options, resolve, reject))
        })
    case 'download':
      return (request, options) => {
        const call = new DownloadCall(runner, method, request, options)
        runner.start(call)
        return call
      }
    case 'upload':
      return (request, options) => {
        const call = new UploadCall(runner, method, request, options)
        runner.start(call)
        return call
      }
  }
}
