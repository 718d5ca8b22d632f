/** K7: after quiesce a tier accounts for exactly the files in its folders, the master knows it so, and nothing temporary is left. */
import type { Checker } from './outcome.ts'

export const tiersChecker: Checker = ({ tiers, quiet }) => {
  if (!quiet) return []
  const evidence: string[] = []
  for (const tier of tiers) {
    const name = `${tier.worker} ${tier.alias}`
    const sum = tier.files.reduce((bytes, file) => bytes + file.bytes, 0)
    if (sum !== tier.usedBytes) evidence.push(`${name}: says ${tier.usedBytes} bytes, its files have ${sum}`)
    if (tier.reportedBytes !== tier.usedBytes)
      evidence.push(`${name}: says ${tier.usedBytes} bytes, the master knows ${tier.reportedBytes}`)
    if (tier.usedBytes > tier.capacityBytes)
      evidence.push(`${name}: ${tier.usedBytes} bytes of a quota of ${tier.capacityBytes}`)
    for (const file of tier.files) if (file.temporary) evidence.push(`${name}: ${file.path} is left over`)
  }
  return evidence.length === 0
    ? []
    : [{ checker: 'K7', message: 'tiers do not account for their files', evidence }]
}
