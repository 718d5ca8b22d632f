/** K8: with all faults gone everything comes to rest; and no process threw what nobody caught. */
import type { Checker } from './outcome.ts'

export const livenessChecker: Checker = ({ quiet, pending, uncaught }) => [
  ...(quiet
    ? []
    : [{ checker: 'K8', message: 'work is still pending after the world was healed', evidence: pending }]),
  ...(uncaught.length === 0
    ? []
    : [{ checker: 'K8', message: 'a process would have died of an uncaught error', evidence: uncaught }]),
]
