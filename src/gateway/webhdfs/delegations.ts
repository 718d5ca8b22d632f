/** Operations on delegation tokens. A token that could beget or renew tokens would never end: they are for who comes without one. */
import { AlluxioError } from '../../core/index.ts'
import type { DelegationTokens } from './delegation-tokens.ts'
import type { HdfsCall, Operation } from './operation.ts'

/** @param form of GETDELEGATIONTOKEN, or of its older sister with an S */
export function issue(tokens: DelegationTokens, form: 'one' | 'list'): Operation {
  return async (call) => {
    checkNoToken(call, 'issued')
    const { user, realUser } = call.caller
    const token = { urlString: await tokens.issue(user, call.asked.get('renewer') ?? '', realUser) }
    return JSON.stringify(form === 'one' ? { Token: token } : { Tokens: { Token: [token] } })
  }
}

export function renew(tokens: DelegationTokens): Operation {
  return async (call) => {
    checkNoToken(call, 'renewed')
    return `{"long":${await tokens.renew(call.asked.required('token'), call.user)}}`
  }
}

export function cancel(tokens: DelegationTokens): Operation {
  return async (call) => {
    checkNoToken(call, 'cancelled')
    await tokens.cancel(call.asked.required('token'), call.user)
    return ''
  }
}

function checkNoToken({ caller }: HdfsCall, what: string): void {
  if (!caller.byToken) return
  throw new AlluxioError(
    'PERMISSION_DENIED',
    `a delegation token can be ${what} only by who comes without one`,
  )
}
