import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { FileSystem } from '../client/index.ts'
import { AlluxioError } from '../core/index.ts'
import { expandLocalPaths, expandPaths, nameMatcher } from './wildcard.ts'

const TREE: Readonly<Record<string, readonly string[]>> = {
  '/': ['data/', 'logs/', 'top*.txt', 'top.txt'],
  '/data': ['2013/', '2014/', '2015/', 'readme'],
  '/data/2013': [],
  '/data/2014': ['a.csv', 'b.csv', 'sub/'],
  '/data/2015': ['a.csv'],
  '/data/2014/sub': ['a.csv'],
  '/logs': ['x [1].log', 'x#%.log'],
}
/** Listings of a fixed tree: what the expansion asks, and nothing more. */
const listings: Pick<FileSystem, 'list'> = {
  async *list(path: string) {
    if (path === '/data/readme') yield { name: 'readme', path, folder: false } as never
    const children = path === '/data/readme' ? [] : TREE[path]
    if (children === undefined) throw new AlluxioError('NOT_FOUND', path)
    for (const child of children) {
      const folder = child.endsWith('/')
      const name = folder ? child.slice(0, -1) : child
      yield { name, path: `${path === '/' ? '' : path}/${name}`, folder } as never
    }
  },
}

test.each([
  ['/data/2014', ['/data/2014']],
  ['/missing', ['/missing']],
  ['/data/201*', ['/data/2013', '/data/2014', '/data/2015']],
  ['/data/*/a.csv', ['/data/2014/a.csv', '/data/2015/a.csv']],
  ['/data/*/*.csv', ['/data/2014/a.csv', '/data/2014/b.csv', '/data/2015/a.csv']],
  ['/*/*/sub/a*', ['/data/2014/sub/a.csv']],
  ['/logs/x [1]*', ['/logs/x [1].log']],
  ['/logs/*%*', ['/logs/x#%.log']],
  ['/top\\*.txt', ['/top*.txt']],
  ['alluxio://host:19998/data/*5', ['/data/2015']],
])('%s names %p', async (pattern, paths) => {
  expect(await expandPaths(listings, pattern)).toEqual(paths)
})

test('a pattern that matches nothing is NOT_FOUND', async () => {
  for (const pattern of ['/data/x*', '/nowhere/*', '/data/readme/*', '/*/nothing']) {
    await expect(expandPaths(listings, pattern)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }
})

test('a star stands for any text and every other character for itself', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      (a, b, middle) => {
        const literal = (text: string) => text.replaceAll('\\', '').replaceAll('*', '\\*')
        const [head, tail] = [a.replaceAll('\\', ''), b.replaceAll('\\', '')]
        const matcher = nameMatcher(`${literal(a)}*${literal(b)}`)
        return matcher.test(head + middle + tail) && !nameMatcher(literal(a)).test(`${head}x`)
      },
    ),
  )
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'alluxio-wildcard-'))
  for (const name of ['one', 'two']) mkdirSync(join(folder, name))
  for (const name of ['one/a.csv', 'one/b.csv', 'two/a.csv']) writeFileSync(join(folder, name), '')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('local patterns expand in any folder of the path', () => {
  expect(expandLocalPaths(`${folder}/*/a.csv`)).toEqual([
    join(folder, 'one/a.csv'),
    join(folder, 'two/a.csv'),
  ])
  expect(expandLocalPaths(`${folder}/one/*`)).toEqual([join(folder, 'one/a.csv'), join(folder, 'one/b.csv')])
  expect(expandLocalPaths('/no/such/file')).toEqual(['/no/such/file'])
  expect(() => expandLocalPaths(`${folder}/none*`)).toThrow('does not exist')
})
