/** K1: the namespace is linearizable, each root by itself; the reads after quiesce are part of the history. */

import { describe, type Operation } from '../workload/history.ts'
import { LIN_ROOTS } from '../workload/roots.ts'
import { linearizable } from './linearizable.ts'
import { type Namespace, namespaceKey, namespaceSteps } from './namespace-model.ts'
import type { Checker } from './outcome.ts'

const SEARCH_LIMIT = 200_000

export const namespaceChecker: Checker = ({ history }) =>
  LIN_ROOTS.flatMap((root) => {
    const operations = history.operations.filter((operation) => isUnder(operation, root))
    const initial: Namespace = new Map([[root, 'dir']])
    const steps = namespaceSteps(operations, history.lengths)
    const verdict = linearizable(steps, { initial, key: namespaceKey, limit: SEARCH_LIMIT })
    if (verdict.kind !== 'illegal') return []
    const evidence = ['stuck at:', ...verdict.stuck.map((step) => `  ${describe(step.operation)}`)]
    const certain = verdict.stuck.filter((step) => step.returnedAt !== Infinity)
    const first = Math.max(...certain.map((step) => step.calledAt))
    const about = certain.flatMap(({ operation: { ask } }) => ('to' in ask ? [ask.path, ask.to] : [ask.path]))
    const before = operations.filter(
      ({ calledAt, void: isVoid, ask }) =>
        calledAt < first &&
        !isVoid &&
        about.some((path) => touches(path, ask.path) || ('to' in ask && touches(path, ask.to))),
    )
    evidence.push('before it:', ...before.slice(-40).map((operation) => `  ${describe(operation)}`))
    return [{ checker: 'K1', message: `no order explains what clients saw under ${root}`, evidence }]
  })

function touches(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function isUnder(operation: Operation, root: string): boolean {
  return operation.ask.path === root || operation.ask.path.startsWith(`${root}/`)
}
