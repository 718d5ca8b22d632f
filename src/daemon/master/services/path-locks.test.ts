import { describe, expect, test } from '@jest/globals'
import { PathLocks } from './path-locks.ts'

describe('PathLocks', () => {
  test('blocks the path, its ancestors and descendants, and nothing else', async () => {
    const locks = new PathLocks()
    const { promise, resolve } = Promise.withResolvers<void>()
    const work = locks.exclusive(['/a/b'], () => promise)
    for (const path of ['/a/b', '/a', '/', '/a/b/c/d']) expect(locks.blocking(path)).toBeInstanceOf(Promise)
    for (const path of ['/a/bc', '/a/c', '/x']) expect(locks.blocking(path)).toBeUndefined()
    resolve()
    await work
    expect(locks.blocking('/a/b')).toBeUndefined()
  })

  test('operations on one path run one after another, also when one fails', async () => {
    const locks = new PathLocks()
    const order: string[] = []
    const step = (name: string) => async () => {
      order.push(`${name} begins`)
      await Promise.resolve()
      order.push(`${name} ends`)
    }
    const first = locks.exclusive(['/a'], async () => {
      await step('1')()
      throw new TypeError('as planned')
    })
    const second = locks.exclusive(['/b', '/a/x'], step('2'))
    await expect(first).rejects.toThrow('as planned')
    await second
    expect(order).toEqual(['1 begins', '1 ends', '2 begins', '2 ends'])
  })
})
