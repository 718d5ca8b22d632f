/** A question to the person at the terminal. */
import { createInterface } from 'node:readline'
import type { Invocation } from '../command.ts'

/** The answer, trimmed; '' at the end of input. */
export function ask({ talk }: Pick<Invocation, 'talk'>, question: string): Promise<string> {
  talk(question)
  const lines = createInterface({ input: process.stdin, terminal: false })
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      resolve(line.trim())
      lines.close()
    })
    lines.once('close', () => resolve(''))
  })
}
