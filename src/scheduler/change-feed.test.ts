import { expect, test } from '@jest/globals'
import type { BlockId, WorkerId } from '../core/index.ts'
import { ChangeFeed } from './index.ts'

test('whoever reads in time sees all changes in order; who lags is told so', () => {
  let told = 0
  const feed = new ChangeFeed({ size: 8 }, { onChange: () => told++ })
  const change = (n: number) => feed.replicaChanged(n as BlockId, 1 as WorkerId, n % 3)
  for (let n = 1; n <= 5; n++) change(n)
  expect(told).toBe(5)
  expect(feed.after(0, 3)!.map(({ block }) => block)).toEqual([1, 2, 3])
  expect(feed.after(3, 100)!.map(({ block }) => block)).toEqual([4, 5])
  expect(feed.after(5, 100)).toEqual([])
  for (let n = 6; n <= 13; n++) change(n)
  expect(feed.after(5, 100)!.map(({ block }) => block)).toEqual([6, 7, 8, 9, 10, 11, 12, 13])
  expect(feed.after(4, 100)).toBeUndefined()
  // Of another life.
  expect(feed.after(14, 100)).toBeUndefined()
})
