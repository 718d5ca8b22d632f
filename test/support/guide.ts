/** Code of the guides, so that tests run what readers are told to run. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/**
 * The block of `docs/guides/GUIDE.md` whose fence reads "```language NAME".
 * @param changes what stands in the guide -> what stands for it in the test, such as ports; each must occur
 */
export function guideBlock(
  guide: string,
  name: string,
  changes: Readonly<Record<string, string>> = {},
): string {
  const text = readFileSync(resolve('docs/guides', `${guide}.md`), 'utf8')
  const blocks = [...text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)].filter(([, title]) => title === name)
  assert.equal(blocks.length, 1, `docs/guides/${guide}.md has one block ${name}`)
  let code = blocks[0]![2]!
  for (const [from, to] of Object.entries(changes)) {
    assert.ok(code.includes(from), `${name} of docs/guides/${guide}.md has ${from}`)
    code = code.replaceAll(from, to)
  }
  return code
}
