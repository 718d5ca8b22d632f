import { describe, expect, test } from '@jest/globals'
import { systemRuntime } from '../../core/index.ts'
import { BlockTokens } from './block-token.ts'

let nowMs = 1_700_000_000_000
const runtime = { ...systemRuntime, now: () => nowMs }
const tokensOf = (key: string) => new BlockTokens({ key: async () => Buffer.from(key.padEnd(32)), runtime })
const grant = { op: 'OPEN', path: '/a/b c', user: 'älice.x@y' }

describe('block tokens', () => {
  test('tell the user for one operation and path, at any daemon that has the key', async () => {
    const token = await tokensOf('one').issue(grant)
    expect(await tokensOf('one').verify(token, 'OPEN', '/a/b c')).toBe('älice.x@y')
    for (const [op, path] of [
      ['OPEN', '/a/b'],
      ['OPEN', '/a/b c/d'],
      ['CREATE', '/a/b c'],
      ['OPEN /a', '/b c'],
    ] as const) {
      await expect(tokensOf('one').verify(token, op, path)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
      })
    }
    await expect(tokensOf('two').verify(token, 'OPEN', '/a/b c')).rejects.toMatchObject({
      reason: 'BLOCK_TOKEN',
    })
  })

  test('end after a minute', async () => {
    const token = await tokensOf('one').issue(grant)
    nowMs += 60_000
    expect(await tokensOf('one').verify(token, 'OPEN', '/a/b c')).toBe(grant.user)
    nowMs += 1
    await expect(tokensOf('one').verify(token, 'OPEN', '/a/b c')).rejects.toMatchObject({
      reason: 'BLOCK_TOKEN',
    })
  })

  test('that were changed anywhere are none', async () => {
    const token = await tokensOf('one').issue(grant)
    for (let i = 0; i < token.length - 1; i++) {
      const other = token[i] === 'A' ? 'B' : 'A'
      const changed = token.slice(0, i) + other + token.slice(i + 1)
      await expect(tokensOf('one').verify(changed, 'OPEN', '/a/b c')).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
      })
    }
    for (const text of [undefined, '', '.', '..', '...', `${token}.`, `.${token}`])
      await expect(tokensOf('one').verify(text, 'OPEN', '/a/b c')).rejects.toMatchObject({
        reason: 'BLOCK_TOKEN',
      })
  })

  test('wait for a master that has not told the key, and ask it again', async () => {
    let calls = 0
    const tokens = new BlockTokens({
      key: async () => {
        if (calls++ === 0) throw new Error('down')
        return Buffer.alloc(32)
      },
      runtime,
    })
    await expect(tokens.issue(grant)).rejects.toThrow('down')
    await tokens.issue(grant)
    await tokens.issue(grant)
    expect(calls).toBe(2)
  })
})
