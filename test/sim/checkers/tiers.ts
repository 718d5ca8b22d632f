/** K7: after quiesce a tier accounts to the master for exactly the files in its folders, and nothing temporary is left. */
import type { Checker } from './outcome.ts'

export const tiersChecker: Checker = ({ tiers, quiet }) => {
  if (!quiet) return []
  const evidence: string[] = []
  for (const tier of tiers) {
    const name = `${tier.worker} ${tier.alias}`
    const sum = tier.files.reduce((bytes, file) => bytes + file.bytes, 0)
    if (sum !== tier.reportedBytes)
      evidence.push(`${name}: the master was told ${tier.reportedBytes} bytes, the files have ${sum}`)
    if (sum > tier.capacityBytes) evidence.push(`${name}: ${sum} bytes of a quota of ${tier.capacityBytes}`)
    for (const file of tier.files) if (file.temporary) evidence.push(`${name}: ${file.path} is left over`)
  }
  return evidence.length === 0
    ? []
    : [{ checker: 'K7', message: 'tiers do not account for their files', evidence }]
}
