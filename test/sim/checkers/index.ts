/** The judges of a run: K1, K2, K5, K6, K7, K8 of reference/trust.md 1.9. Pure functions of what a run left. */
import { bytesChecker } from './bytes.ts'
import { livenessChecker } from './liveness.ts'
import { namespaceChecker } from './namespace.ts'
import type { Checker, Outcome, Violation } from './outcome.ts'
import { persistedChecker } from './persisted.ts'
import { recoveryChecker } from './recovery.ts'
import { tiersChecker } from './tiers.ts'

export type { Outcome, Violation } from './outcome.ts'

const CHECKERS: readonly Checker[] = [
  bytesChecker,
  recoveryChecker,
  namespaceChecker,
  tiersChecker,
  persistedChecker,
  livenessChecker,
]

export function judge(outcome: Outcome): readonly Violation[] {
  return CHECKERS.flatMap((checker) => checker(outcome))
}
