import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { HintWorld, hintedFile, wholeFile } from '../../../../../test/support/hints.ts'
import { JsonAnswers } from './json-answers.ts'
import { PackedAnswers } from './packed-answers.ts'

/** Names that a JSON text has to escape, and long ones. */
const NAMES = ['a', 'quote"d', 'back\\slash', 'ü.example', 'x'.repeat(250)]

const worlds = fc.record({
  held: fc.array(
    fc.record({
      worker: fc.integer({ min: 1, max: 5 }),
      file: fc.integer({ min: 1, max: 3 }),
      block: fc.integer({ min: 0, max: 3 }),
      tier: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 40 },
  ),
  load: fc.integer({ min: 0, max: 300 }),
  query: fc.record(
    {
      blocks: fc.boolean(),
      top: fc.integer({ min: 0, max: 6 }),
      candidates: fc.subarray([...NAMES, 'nobody']),
    },
    { requiredKeys: [] },
  ),
})

test('what is written at once is what objects would have been written as', () => {
  fc.assert(
    fc.property(worlds, ({ held, load, query }) => {
      const world = new HintWorld()
      for (const [i, name] of NAMES.entries()) world.worker(i + 1, name).load = i * load
      const files = [1, 2, 3].map((id) => ({ ...hintedFile(id, 4, 2 ** 33), path: `/f "${id}"\u2028` }))
      for (const { worker, file, block, tier } of held) world.hold(worker, files[file - 1]!, block, tier)
      world.nowMs += 33
      const questions = files.map(wholeFile)
      const hints = world.hints.answer(questions, query, world.nowMs)

      const json = new JsonAnswers()
      const packed = new PackedAnswers(questions.length)
      const asked = world.hints.begin(query, world.nowMs)
      for (const question of questions) {
        const answer = world.hints.answerTo(question, asked)
        json.take(answer)
        packed.take(answer)
      }
      expect(JSON.parse(json.end())).toEqual(JSON.parse(JSON.stringify(hints)))
      // The contract's form: the values of an object in the order of its schema.
      expect(unpack(packed.end().bytes)).toEqual(
        hints.map(({ path, length, cold, blocks, hosts }) => [
          ...[path, length, cold],
          blocks.map((block) => [
            ...[block.offset, block.length],
            block.hosts.map(({ host, tier, freshMs }) => [host, tier, freshMs]),
          ]),
          hosts.map(({ host, score, bytes, load, confidence, reason }) => [
            ...[host, score, [bytes.MEM, bytes.SSD, bytes.HDD], load, confidence, reason],
          ]),
        ]),
      )
    }),
  )
})
