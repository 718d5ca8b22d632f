import { expect, test } from '@jest/globals'
import { TreeEntries, type TreePosition } from './tree-entries.ts'

const listed = (keys: readonly string[], limit = 100): string[] => {
  const shown: string[] = []
  let rest = [...keys]
  for (let start: TreePosition = { files: [] }; ; ) {
    const tree = new TreeEntries('', limit, start)
    const left = rest.findIndex((name) => !tree.add({ name, length: 1, modifiedMs: 1, etag: 'e' }))
    for (const { path, directory } of tree.entries) shown.push(directory ? `${path}/` : path)
    if (left === -1) return shown
    rest = rest.slice(left)
    start = { after: tree.position, files: tree.files }
  }
}

test.each([1, 2, 100])('a directory is shown whatever its first key is; pages of %d', (limit) => {
  const keys = ['.', '/lead', 'a//b', 'a/c', 'd/../y', 'd/./x', 'e/f//', 'x', 'x/y']
  expect(listed(keys, limit)).toEqual(['a/', 'a/c', 'd/', 'e/', 'e/f/', 'x'])
})
