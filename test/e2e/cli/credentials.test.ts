/** Keys of the S3 gateway on the command line, against a real cluster. */
import { userInfo } from 'node:os'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Place } from './command.ts'

let place: Place
const user = userInfo().username

beforeAll(async () => {
  place = await Place.make()
  await place.ok('start', 'local', ...place.tier)
}, 120_000)
afterAll(() => place?.dispose())

test('a key is made, listed without its secret, and deleted', async () => {
  const made = JSON.parse(await place.ok('s3', 'credential', 'create', '--user', 'alice', '--json'))
  expect(made).toEqual({
    user: 'alice',
    accessKeyId: expect.stringMatching(/^[A-Z2-7]{20}$/),
    secretAccessKey: expect.stringMatching(/^[\w-]{40}$/),
  })
  const plain = await place.ok('s3', 'credential', 'create', '--user', user)
  expect(plain).toMatch(/^Access key: [A-Z2-7]{20}\nSecret key: [\w-]{40}\n$/)
  const listed = await place.ok('s3', 'credential', 'ls')
  expect(listed).toMatch(new RegExp(`^${made.accessKeyId}  alice  \\d{4}-`, 'm'))
  expect(listed).not.toContain(made.secretAccessKey)
  expect(await place.ok('s3', 'credential', 'delete', made.accessKeyId)).toBe(`Deleted ${made.accessKeyId}\n`)
  expect(await place.ok('s3', 'credential', 'delete', made.accessKeyId)).toMatch(/^There is no key/)
  expect(await place.ok('s3', 'credential', 'ls')).not.toContain('alice')
})

test('lines that are wrong', async () => {
  for (const args of [['create'], ['delete'], ['create', '--user', '']]) {
    const ran = await place.run(['s3', 'credential', ...args])
    expect([args, ran.status, ran.stdout]).toEqual([args, 64, ''])
  }
})
