/** Words for a command that does not exist. */
import { editDistance } from '../core/config/index.ts'
import type { AlluxioError } from '../core/index.ts'
import { usageError } from './failure.ts'
import { COMMANDS } from './registry.ts'

export function unknownCommand(words: readonly string[]): AlluxioError {
  const topic = Object.keys(COMMANDS).some((id) => id.startsWith(`${words[0]}:`)) ? words[0]! : ''
  const given = (topic === '' ? words.slice(0, 1) : words.slice(0, 2)).join(' ')
  const nearest = nearestCommand(words)
  const help = `All commands: alluxio ${topic === '' ? '' : `${topic} `}--help`
  return usageError(
    `${given} is an unknown command.`,
    nearest === undefined ? [help] : [`Did you mean: alluxio ${nearest}`, help],
  )
}

export function nearestCommand(words: readonly string[]): string | undefined {
  let best: string | undefined
  let bestScore = 4
  for (const id of Object.keys(COMMANDS)) {
    const name = id.replaceAll(':', ' ')
    const given = words.slice(0, id.split(':').length).join(' ')
    // Also the bare verb: `alluxio ls` is most likely `alluxio fs ls`.
    const verb = id.slice(id.lastIndexOf(':') + 1)
    const distance = Math.min(
      editDistance(given.toLowerCase(), name.toLowerCase(), 4),
      words[0]?.toLowerCase() === verb.toLowerCase() ? 1 : 4,
    )
    // Of two that are as near, the one of the same length: swapped letters are the commonest slip.
    const score = distance + Math.min(9, Math.abs(given.length - name.length)) / 10
    if (score < bestScore && distance < Math.min(4, Math.max(2, name.length))) {
      best = name
      bestScore = score
    }
  }
  return best
}
