/** Writes the golden messages: `node test/vectors/rpc/generate.ts`. A change of theirs is a change of the protocol. */
import { writeFileSync } from 'node:fs'
import { DRAFTS, encodeMessage, malformedMessages } from './messages.ts'

const write = (name: string, content: unknown) =>
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(content, null, 1)}\n`)

write(
  'messages.json',
  DRAFTS.map((draft) => ({ ...draft, frames: encodeMessage(draft).map((frame) => frame.toString('hex')) })),
)
write('malformed.json', malformedMessages())
