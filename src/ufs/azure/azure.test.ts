/** What the Azure store sends, without a server; test/contract/ufs/azure.test.ts runs it against Azurite. */
import { describe, expect, test } from '@jest/globals'
import { silentLog, systemRuntime } from '../../core/index.ts'
import { openStore } from '../index.ts'
import { metadataHeaders, metadataOf } from './metadata.ts'
import { sharedKey, stringToSign } from './signature.ts'
import { blockBytes } from './upload.ts'

const MIB = 2 ** 20

describe('Shared Key', () => {
  test('the string to sign is that of the documentation (authorize-with-shared-key, Get Container Metadata)', () => {
    const request = {
      method: 'GET',
      path: '/mycontainer',
      query: { restype: 'container', comp: 'metadata', timeout: '20' },
      headers: { 'x-ms-version': '2015-02-21', 'x-ms-date': 'Fri, 26 Jun 2015 23:39:12 GMT', host: 'x' },
    }
    expect(stringToSign('myaccount', request)).toBe(
      'GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20',
    )
    // The key of that example was never published: its form only.
    expect(sharedKey('myaccount', 'c2VjcmV0', request)).toMatch(/^SharedKey myaccount:[A-Za-z0-9+/]{43}=$/)
  })

  test('a length of zero is empty, and the emulator has its account twice', () => {
    const headers = { 'content-length': '0', 'if-none-match': '*', 'x-ms-blob-type': 'BlockBlob' }
    expect(stringToSign('a', { method: 'PUT', path: '/a/c/b%20x', query: {}, headers })).toBe(
      'PUT\n\n\n\n\n\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n/a/a/c/b%20x',
    )
  })
})

test('metadata names survive the rules of C# identifiers', () => {
  const metadata = { 'alluxio-file-id': 'c/7', '1st': 'x', under_score: 'y', 'a.b': 'z' }
  const headers = metadataHeaders({ ...metadata, hidden: '1' })
  for (const name of Object.keys(headers)) expect(name).toMatch(/^x-ms-meta-[a-z_][a-z0-9_]*$/)
  expect(metadataOf(headers, ['hidden'])).toEqual(metadata)
})

test('50,000 blocks hold what is promised', () => {
  let total = 0
  for (let i = 0; i < 50_000; i++) total += blockBytes(i, 16 * MIB, undefined)
  expect(total).toBeGreaterThan(50 * 2 ** 40)
  const hint = 5 * 2 ** 40
  expect(blockBytes(0, 16 * MIB, hint) * 50_000).toBeGreaterThan(hint)
  expect(blockBytes(0, 16 * MIB, 100)).toBe(16 * MIB)
})

test.each([
  ['wasb://Container@account.blob.core.windows.net/x', {}, /container/],
  ['wasb://container/x', {}, /storage account/],
  ['wasb://container@account/x', { 'alluxio.underfs.azure.account.key': 'no base64!' }, /base64/],
  ['wasb://container@account/x', { 'alluxio.underfs.azure.endpoint': 'nonsense' }, /no URL/],
  ['wasb://container:secret@account/x', {}, /credentials/],
])('%s with %j is refused', async (uri, options, message) => {
  const opening = openStore(uri, options as Record<string, string>, {
    runtime: systemRuntime,
    log: silentLog,
  })
  await expect(opening).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  })
})
