import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { DRAFTS, decodeMessage, encodeMessage, type GoldenMessage } from './messages.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
const golden = read('messages.json') as GoldenMessage[]
const malformed = read('malformed.json') as { name: string; frames: string[] }[]
const fromHex = (frames: readonly string[]) => frames.map((frame) => Buffer.from(frame, 'hex'))

describe('golden messages', () => {
  it('are those that the source describes', () => {
    expect(golden.map(({ name }) => name)).toEqual(DRAFTS.map(({ name }) => name))
  })

  it.each(golden.map((message) => [message.name, message] as const))('encode: %s', (_name, message) => {
    expect(encodeMessage(message).map((frame) => frame.toString('hex'))).toEqual(message.frames)
  })

  it.each(golden.map((message) => [message.name, message] as const))('decode: %s', (name, message) => {
    const { frames, ...meaning } = message
    expect(decodeMessage(name, fromHex(frames))).toEqual(meaning)
  })

  it.each(malformed.map(({ name, frames }) => [name, frames] as const))('refuse: %s', (name, frames) => {
    expect(() => decodeMessage(name, fromHex(frames))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED' }),
    )
  })

  it('refuse every cut of a frame within a call, and survive any changed bit', () => {
    for (const { name, frames, calls } of golden) {
      const [first, ...rest] = fromHex(frames)
      let whole = 0
      for (let end = 0; end < first!.length; end++) {
        try {
          decodeMessage(name, [first!.subarray(0, end), ...rest])
          whole++
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED' })
        }
      }
      // Only a cut between two calls leaves a message.
      expect(whole).toBeLessThan(calls.length)
      for (let at = 0; at < first!.length; at++) {
        const changed = Buffer.from(first!)
        changed[at]! ^= 1 << (at % 8)
        try {
          decodeMessage(name, [changed, ...rest])
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
        }
      }
    }
  })
})
