/** Objects, buckets, listings, multipart uploads and tags through the AWS SDK, and what the namespace holds then. */
import { createHash } from 'node:crypto'
import * as sdk from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { FileSystem } from '../../../../src/client/index.ts'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { keyOf, S3Caller } from './client.ts'

const Bucket = 'objects'
const PART = 5 * 2 ** 20

let cluster: Cluster
let fs: FileSystem
let s3: sdk.S3Client
let caller: S3Caller
const clients: sdk.S3Client[] = []

async function clientOf(user: string): Promise<sdk.S3Client> {
  const { accessKeyId, secretAccessKey } = await keyOf(fs, user)
  const client = new sdk.S3Client({
    endpoint: `http://${cluster.s3}`,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  })
  clients.push(client)
  return client
}

beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true, memory: '512MB' })
  fs = await cluster.connect()
  const owner = (await fs.getStatus('/')).owner
  s3 = await clientOf(owner)
  caller = new S3Caller(`http://${cluster.s3}`, await keyOf(fs, owner))
  await s3.send(new sdk.CreateBucketCommand({ Bucket }))
}, 120_000)

afterAll(async () => {
  for (const client of clients) client.destroy()
  await cluster?.dispose()
})

const put = (Key: string, Body: string | Buffer, more: Partial<sdk.PutObjectCommandInput> = {}) =>
  s3.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ...more }))
const get = (Key: string, more: Partial<sdk.GetObjectCommandInput> = {}) =>
  s3.send(new sdk.GetObjectCommand({ Bucket, Key, ...more }))
const text = async (Key: string, more: Partial<sdk.GetObjectCommandInput> = {}) =>
  (await get(Key, more)).Body!.transformToString()
const keys = async (more: Partial<sdk.ListObjectsV2CommandInput> = {}) => {
  const { Contents = [], CommonPrefixes = [] } = await s3.send(
    new sdk.ListObjectsV2Command({ Bucket, ...more }),
  )
  return [...Contents.map(({ Key }) => Key!), ...CommonPrefixes.map(({ Prefix }) => Prefix!)]
}
const refusal = async (asked: Promise<unknown>): Promise<[string, number]> => {
  try {
    await asked
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata: { httpStatusCode: number } }
    return [name, $metadata.httpStatusCode]
  }
  return ['', 200]
}
const md5 = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex')

describe('objects', () => {
  test('a large one has a tag that nobody takes for an MD5, unless the MD5 came with it', async () => {
    const Body = Buffer.alloc(64 * 2 ** 20 + 1, 'large')
    const { ETag } = await put('large', Body)
    expect(ETag).toMatch(/^"[0-9a-f]{32}-1"$/)
    const { ETag: other } = await put('large', Body)
    expect(other).toMatch(/^"[0-9a-f]{32}-1"$/)
    expect(other).not.toBe(ETag)
    expect(await s3.send(new sdk.HeadObjectCommand({ Bucket, Key: 'large' }))).toMatchObject({ ETag: other })
    const ContentMD5 = createHash('md5').update(Body).digest('base64')
    expect((await put('large', Body, { ContentMD5 })).ETag).toBe(`"${md5(Body)}"`)
    expect(md5(Buffer.from(await (await get('large')).Body!.transformToByteArray()))).toBe(md5(Body))
    await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'large' }))
  })

  test('come back with all that was said of them', async () => {
    const Expires = new Date('2030-01-01T00:00:00Z')
    const said = {
      ContentType: 'text/csv',
      CacheControl: 'max-age=5',
      ContentDisposition: 'attachment; filename="x.csv"',
      ContentEncoding: 'gzip',
      ContentLanguage: 'de',
      Metadata: { one: '1', two: 'zwei' },
    }
    const { ETag } = await put('said', 'a,b', { ...said, Expires, Tagging: 'k=v' })
    expect(ETag).toBe(`"${md5('a,b')}"`)
    const answer = await get('said')
    expect(answer).toMatchObject({ ...said, ContentLength: 3, ETag, TagCount: 1, AcceptRanges: 'bytes' })
    expect(await answer.Body!.transformToString()).toBe('a,b')
    const overridden = await get('said', {
      ResponseContentType: 'text/plain',
      ResponseCacheControl: 'no-store',
    })
    expect([overridden.ContentType, overridden.CacheControl]).toEqual(['text/plain', 'no-store'])
    await overridden.Body!.transformToString()
  })

  test('a header that would be two is refused', async () => {
    const query = [['response-content-type', 'a%0D%0Ax-evil%3A1']] as const
    const answer = await caller.call({ path: `/${Bucket}/said`, query })
    expect([answer.status, answer.headers['x-evil']]).toEqual([400, undefined])
  })

  test.each([0, 1, 4096, 65_536, 65_537, 2 ** 20, 3 * 2 ** 20 + 17])('%i bytes', async (length) => {
    const bytes = patternBytes(length + 1, length)
    const { ETag } = await put(`size-${length}`, bytes)
    expect(ETag).toBe(`"${md5(bytes)}"`)
    const answer = await get(`size-${length}`)
    expect(answer.ContentLength).toBe(length)
    expect(Buffer.from(await answer.Body!.transformToByteArray()).equals(bytes)).toBe(true)
  })

  test.each([
    ['bytes=2-4', 'cde', 'bytes 2-4/10'],
    ['bytes=7-', 'hij', 'bytes 7-9/10'],
    ['bytes=-3', 'hij', 'bytes 7-9/10'],
    ['bytes=0-99', 'abcdefghij', 'bytes 0-9/10'],
    ['bytes=5-2', 'abcdefghij', undefined],
    ['bytes=0-1,3-4', 'abcdefghij', undefined],
    ['lines=1-2', 'abcdefghij', undefined],
  ])('the range %s', async (Range, content, ContentRange) => {
    await put('range', 'abcdefghij')
    const answer = await get('range', { Range })
    expect(await answer.Body!.transformToString()).toBe(content)
    expect(answer.ContentRange).toBe(ContentRange)
  })

  test('a range behind the end', async () => {
    const answer = await caller.call({ path: `/${Bucket}/range`, headers: { range: 'bytes=10-20' } })
    expect([answer.status, answer.code, answer.headers['content-range']]).toEqual([
      416,
      'InvalidRange',
      'bytes */10',
    ])
  })

  test('conditions of reads', async () => {
    const { ETag } = await put('condition', 'x')
    const { LastModified } = await get('condition')
    const before = new Date(LastModified!.getTime() - 10_000)
    expect(await text('condition', { IfMatch: ETag })).toBe('x')
    expect(await refusal(get('condition', { IfMatch: '"other"' }))).toEqual(['PreconditionFailed', 412])
    expect((await refusal(get('condition', { IfNoneMatch: ETag })))[1]).toBe(304)
    expect((await refusal(get('condition', { IfModifiedSince: LastModified })))[1]).toBe(304)
    expect(await text('condition', { IfModifiedSince: before })).toBe('x')
    expect(await refusal(get('condition', { IfUnmodifiedSince: before }))).toEqual([
      'PreconditionFailed',
      412,
    ])
    expect(await text('condition', { IfNoneMatch: '"other"', IfModifiedSince: LastModified })).toBe('x')
  })

  test('conditions of writes', async () => {
    const first = await put('if', '1', { IfNoneMatch: '*' })
    expect(await refusal(put('if', '2', { IfNoneMatch: '*' }))).toEqual(['PreconditionFailed', 412])
    expect(await refusal(put('if', '2', { IfMatch: '"other"' }))).toEqual(['PreconditionFailed', 412])
    expect(await refusal(put('if-absent', '2', { IfMatch: first.ETag }))).toEqual(['NoSuchKey', 404])
    await put('if', '2', { IfMatch: first.ETag })
    expect(await text('if')).toBe('2')
  })

  test('of 16 that make the same object one wins, and of 16 that replace it', async () => {
    const racing = (more: Partial<sdk.PutObjectCommandInput>) =>
      Promise.all(Array.from({ length: 16 }, (_, i) => refusal(put('race', `${i}`, more))))
    const made = await racing({ IfNoneMatch: '*' })
    expect(made.filter(([name]) => name === '')).toHaveLength(1)
    expect(made.filter(([, status]) => status === 412)).toHaveLength(15)
    const { ETag } = await s3.send(new sdk.HeadObjectCommand({ Bucket, Key: 'race' }))
    const replaced = await racing({ IfMatch: ETag })
    expect(replaced.filter(([name]) => name === '')).toHaveLength(1)
    expect(replaced.filter(([, status]) => status === 412)).toHaveLength(15)
  })

  test('readers of an object that is overwritten see the old or the new one, whole', async () => {
    const versions = [1, 2, 3, 4].map((seed) => patternBytes(seed, 300_000))
    const tags = new Set(versions.map((bytes) => `"${md5(bytes)}"`))
    await put('overwritten', versions[0]!)
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 100; i++) await put('overwritten', versions[i % 4]!)
      writing = false
    })()
    let reads = 0
    while (writing) {
      const answer = await get('overwritten')
      const bytes = Buffer.from(await answer.Body!.transformToByteArray())
      expect(answer.ETag).toBe(`"${md5(bytes)}"`)
      expect(tags.has(answer.ETag!)).toBe(true)
      reads++
    }
    await writer
    expect(reads).toBeGreaterThan(3)
  })

  test('folders that are made and deleted by many at once', async () => {
    const lane = async (work: () => Promise<unknown>) => {
      for (let i = 0; i < 40; i++) await work()
    }
    const makes = () => put('busy/_temporary/', '')
    const deletes = () => s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'busy/_temporary/' }))
    await Promise.all([...Array(8).fill(makes), ...Array(8).fill(deletes)].map(lane))
    await put('busy/_temporary/', '')
    expect((await keys({ Prefix: 'busy/' })).includes('busy/_temporary/')).toBe(true)
  })

  test('digests that are wrong', async () => {
    expect(
      await refusal(put('digest', 'x', { ContentMD5: createHash('md5').update('y').digest('base64') })),
    ).toEqual(['BadDigest', 400])
    expect(await refusal(put('digest', 'x', { ContentMD5: 'short' }))).toEqual(['InvalidDigest', 400])
    expect(
      await refusal(
        put('digest', 'x', { ChecksumSHA256: createHash('sha256').update('y').digest('base64') }),
      ),
    ).toEqual(['BadDigest', 400])
    expect(await refusal(get('digest'))).toEqual(['NoSuchKey', 404])
  })

  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
    'checksum %s is verified, kept and told',
    async (ChecksumAlgorithm) => {
      const name = `sum-${ChecksumAlgorithm}`
      const made = await put(name, 'content', { ChecksumAlgorithm })
      const told = await get(name, { ChecksumMode: 'ENABLED' })
      await told.Body!.transformToString()
      expect(told[`Checksum${ChecksumAlgorithm}`]).toBe(made[`Checksum${ChecksumAlgorithm}`])
      expect(told[`Checksum${ChecksumAlgorithm}`]).toMatch(/=$/)
    },
  )

  test('attributes that were made up are no headers', async () => {
    await put('made-up', 'x')
    const { fileId } = await fs.getStatus(`/${Bucket}/made-up`)
    const evil = {
      e: 'f'.repeat(32),
      i: fileId,
      h: { 'content-length': '9', 'x-evil': '1' },
      m: { 'a\r\nb': 'c' },
      p: 7,
    }
    await fs.setAttribute(`/${Bucket}/made-up`, { xattr: { 's3.object': Buffer.from(JSON.stringify(evil)) } })
    const answer = await caller.call({ path: `/${Bucket}/made-up` })
    expect([answer.status, answer.body.toString(), answer.headers['x-evil']]).toEqual([200, 'x', undefined])
  })

  test('files that did not come through S3 have an entity tag that changes with them', async () => {
    for (const content of ['one', 'two!']) {
      const writer = await fs.create(`/${Bucket}/foreign`, { overwrite: true })
      await writer.write(Buffer.from(content))
      await writer.close()
      const answer = await get('foreign')
      expect(await answer.Body!.transformToString()).toBe(content)
      expect(answer.ETag).toMatch(/^"[0-9a-f]{32}-0"$/)
    }
  })

  test('what a namespace cannot hold is refused', async () => {
    await put('x', 'file')
    await put('d/y', 'file')
    expect(await keys({ Prefix: 'x/' })).toEqual([])
    expect(await refusal(put('x/y', 'below a file'))).toEqual(['ObjectParentIsFile', 409])
    expect(await refusal(put('d', 'in place of a folder'))).toEqual(['ExistingObjectIsDirectory', 409])
    expect(await refusal(put('a//b', 'x'))).toEqual(['InvalidArgument', 400])
    expect(await refusal(get('a//b'))).toEqual(['NoSuchKey', 404])
    expect(await refusal(put('n'.repeat(256), 'x'))).toEqual(['KeyTooLongError', 400])
    expect(await refusal(put(`${'n/'.repeat(512)}n`, 'x'))).toEqual(['KeyTooLongError', 400])
    expect(await refusal(put('acl', 'x', { ACL: 'public-read' }))).toEqual(['NotImplemented', 501])
    expect(await refusal(put('sse', 'x', { ServerSideEncryption: 'AES256' }))).toEqual([
      'NotImplemented',
      501,
    ])
    expect(await refusal(get('x', { VersionId: 'v1' }))).toEqual(['NoSuchVersion', 404])
    await put('private', 'x', { ACL: 'private' })
  })

  test('a copy takes the metadata along or has its own', async () => {
    await put('from', 'copied', { ContentType: 'text/a', Metadata: { m: '1' }, Tagging: 'a=b' })
    const CopySource = `${Bucket}/from`
    await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'to', CopySource }))
    expect(await get('to')).toMatchObject({
      ContentType: 'text/a',
      Metadata: { m: '1' },
      ETag: `"${md5('copied')}"`,
      TagCount: 1,
    })
    const own = { MetadataDirective: 'REPLACE', ContentType: 'text/b', Metadata: { n: '2' } } as const
    await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'to', CopySource, ...own }))
    expect(await get('to')).toMatchObject({ ContentType: 'text/b', Metadata: { n: '2' } })
    await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'from', CopySource, ...own }))
    expect(await get('from')).toMatchObject({ ContentType: 'text/b', ETag: `"${md5('copied')}"` })
    expect(await refusal(s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'from', CopySource })))).toEqual([
      'InvalidRequest',
      400,
    ])
    const never = { CopySourceIfMatch: '"other"' }
    expect(
      await refusal(s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'to', CopySource, ...never }))),
    ).toEqual(['PreconditionFailed', 412])
  })

  test('tags', async () => {
    await put('tagged', 'x')
    const TagSet = [
      { Key: 'a b', Value: 'c=d&' },
      { Key: 'é', Value: '' },
    ]
    await s3.send(new sdk.PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet } }))
    expect((await s3.send(new sdk.GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))).TagSet).toEqual(TagSet)
    await s3.send(new sdk.DeleteObjectTaggingCommand({ Bucket, Key: 'tagged' }))
    expect((await s3.send(new sdk.GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))).TagSet).toEqual([])
    const many = Array.from({ length: 11 }, (_, i) => ({ Key: `k${i}`, Value: '' }))
    expect(
      await refusal(
        s3.send(new sdk.PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet: many } })),
      ),
    ).toEqual(['InvalidTag', 400])
  })
})

describe('folders and deletes', () => {
  test('a key with a slash at its end is a folder; others vanish with what lay in them', async () => {
    await put('f/made/', '')
    await put('f/a/b/c', 'x')
    expect(await keys({ Prefix: 'f/' })).toEqual(['f/a/b/c', 'f/made/'])
    expect(await keys({ Prefix: 'f/', Delimiter: '/' })).toEqual(['f/a/', 'f/made/'])
    expect((await s3.send(new sdk.HeadObjectCommand({ Bucket, Key: 'f/made/' }))).ContentLength).toBe(0)
    expect((await refusal(s3.send(new sdk.HeadObjectCommand({ Bucket, Key: 'f/a/' }))))[1]).toBe(404)
    await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'f/a/b/c' }))
    expect(await fs.exists(`/${Bucket}/f/a`)).toBe(false)
    expect(await keys({ Prefix: 'f/' })).toEqual(['f/made/'])
    expect(await refusal(put('f/made/', 'bytes'))).toEqual(['InvalidRequest', 400])
    await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'f/made/' }))
    expect(await fs.exists(`/${Bucket}/f`)).toBe(false)
  })

  test('a folder that is made while the last of what lay in it goes, stays', async () => {
    for (let i = 0; i < 40; i++) {
      await put(`pruned/${i}/x`, 'x')
      await Promise.all([
        s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: `pruned/${i}/x` })),
        put(`pruned/${i}/`, ''),
      ])
    }
    expect(await keys({ Prefix: 'pruned/' })).toHaveLength(40)
  })

  test('If-Match of a delete: of an object that is replaced meanwhile, the new one stays', async () => {
    const { ETag } = await put('match', 'one')
    await put('match', 'two')
    const remove = (IfMatch: string) =>
      s3.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'match', IfMatch }))
    expect(await refusal(remove(ETag!))).toEqual(['PreconditionFailed', 412])
    for (let i = 0; i < 25; i++) {
      const { ETag: known } = await put('match', `old ${i}`)
      const [outcome] = await Promise.all([refusal(remove(known!)), put('match', `new ${i}`)])
      // It went before the new one came, or it was not there any more.
      expect(outcome[1] === 200 || outcome[0] === 'PreconditionFailed').toBe(true)
      expect(await text('match')).toBe(`new ${i}`)
    }
    await remove('*')
    expect((await refusal(get('match')))[1]).toBe(404)
  })

  test('many at once, also what is not there', async () => {
    for (let i = 0; i < 20; i++) await put(`many/${i % 3}/${i}`, 'x')
    const Objects = Array.from({ length: 21 }, (_, i) => ({ Key: `many/${i % 3}/${i}` }))
    const { Deleted, Errors } = await s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    expect([Deleted?.length, Errors]).toEqual([21, undefined])
    expect(await fs.exists(`/${Bucket}/many`)).toBe(false)
    const tooMany = Array.from({ length: 1001 }, (_, i) => ({ Key: `${i}` }))
    expect(
      await refusal(s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects: tooMany } }))),
    ).toEqual(['MalformedXML', 400])
  })

  test.each([
    [
      'an entity bomb',
      '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>',
    ],
    ['another document', '<Tagging/>'],
    ['not closed', '<Delete><Object>'],
    ['too deep', `<Delete>${'<a>'.repeat(20)}${'</a>'.repeat(20)}</Delete>`],
    ['no XML', 'Delete everything'],
  ])('XML that is %s', async (_, body) => {
    const answer = await caller.call({ method: 'POST', path: `/${Bucket}`, query: [['delete', '']], body })
    expect([answer.status, answer.code]).toEqual([400, 'MalformedXML'])
  })
})

describe('buckets', () => {
  test('are made, listed, found and removed', async () => {
    await s3.send(new sdk.CreateBucketCommand({ Bucket: 'another' }))
    expect(await refusal(s3.send(new sdk.CreateBucketCommand({ Bucket: 'another' })))).toEqual([
      'BucketAlreadyOwnedByYou',
      409,
    ])
    const names = (await s3.send(new sdk.ListBucketsCommand({}))).Buckets!.map(({ Name }) => Name)
    expect(names).toEqual(expect.arrayContaining(['another', Bucket]))
    expect(names.some((name) => name!.startsWith('.'))).toBe(false)
    await s3.send(new sdk.PutObjectCommand({ Bucket: 'another', Key: 'k', Body: '' }))
    expect(await refusal(s3.send(new sdk.DeleteBucketCommand({ Bucket: 'another' })))).toEqual([
      'BucketNotEmpty',
      409,
    ])
    await s3.send(new sdk.DeleteObjectCommand({ Bucket: 'another', Key: 'k' }))
    await s3.send(new sdk.DeleteBucketCommand({ Bucket: 'another' }))
    expect((await refusal(s3.send(new sdk.HeadBucketCommand({ Bucket: 'another' }))))[1]).toBe(404)
    expect(
      await refusal(s3.send(new sdk.PutObjectCommand({ Bucket: 'another', Key: 'k', Body: '' }))),
    ).toEqual(['NoSuchBucket', 404])
    expect(await fs.exists('/another')).toBe(false)
  })

  test.each(['Upper', 'ab', 'a..b', '1.2.3.4', '-a-b-', '.alluxio-staging'])(
    '%s is no name for one',
    async (name) => {
      const answer = await caller.call({ method: 'PUT', path: `/${name}` })
      expect([answer.status, answer.code]).toEqual([400, 'InvalidBucketName'])
    },
  )

  test('what is not served says so', async () => {
    const asked = async (method: string, query: string) => {
      const { status, code } = await caller.call({ method, path: `/${Bucket}`, query: [[query, '']] })
      return [status, code]
    }
    expect(await asked('GET', 'policy')).toEqual([404, 'NoSuchBucketPolicy'])
    expect(await asked('GET', 'replication')).toEqual([501, 'NotImplemented'])
    expect(await asked('PUT', 'policy')).toEqual([501, 'NotImplemented'])
    expect(await asked('PATCH', 'x')).toEqual([405, 'MethodNotAllowed'])
    expect((await s3.send(new sdk.GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined()
    expect((await s3.send(new sdk.GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeUndefined()
    expect((await s3.send(new sdk.GetBucketAclCommand({ Bucket }))).Grants?.[0]?.Permission).toBe(
      'FULL_CONTROL',
    )
  })
})

describe('each key acts as its user', () => {
  test('who may not read, write or list is refused', async () => {
    const stranger = await clientOf('stranger')
    await put('secret', 'x')
    await fs.setAttribute(`/${Bucket}/secret`, { mode: 0o600 })
    await fs.setAttribute(`/${Bucket}`, { mode: 0o755 })
    const as = <T>(command: T) => refusal(stranger.send(command as never))
    expect(await as(new sdk.GetObjectCommand({ Bucket, Key: 'secret' }))).toEqual(['AccessDenied', 403])
    expect((await as(new sdk.HeadObjectCommand({ Bucket, Key: 'secret' })))[1]).toBe(403)
    expect(await as(new sdk.PutObjectCommand({ Bucket, Key: 'secret', Body: 'y' }))).toEqual([
      'AccessDenied',
      403,
    ])
    expect(await as(new sdk.PutObjectCommand({ Bucket, Key: 'new', Body: 'y' }))).toEqual([
      'AccessDenied',
      403,
    ])
    expect(await as(new sdk.DeleteObjectCommand({ Bucket, Key: 'secret' }))).toEqual(['AccessDenied', 403])
    expect(await as(new sdk.CreateMultipartUploadCommand({ Bucket, Key: 'new/er' }))).toEqual([
      'AccessDenied',
      403,
    ])
    await fs.setAttribute(`/${Bucket}`, { mode: 0o700 })
    expect(await as(new sdk.ListObjectsV2Command({ Bucket }))).toEqual(['AccessDenied', 403])
    await fs.setAttribute(`/${Bucket}`, { mode: 0o777 })
    await stranger.send(new sdk.PutObjectCommand({ Bucket, Key: 'theirs', Body: 'y' }))
    expect((await fs.getStatus(`/${Bucket}/theirs`)).owner).toBe('stranger')
    await fs.setAttribute(`/${Bucket}`, { mode: 0o755 })
  })

  test('another user neither sees nor touches an upload', async () => {
    const stranger = await clientOf('stranger2')
    const { UploadId } = await s3.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key: 'mine' }))
    const of = { Bucket, Key: 'mine', UploadId }
    expect(
      await refusal(stranger.send(new sdk.UploadPartCommand({ ...of, PartNumber: 1, Body: 'x' }))),
    ).toEqual(['AccessDenied', 403])
    expect((await refusal(stranger.send(new sdk.AbortMultipartUploadCommand(of))))[1]).toBe(403)
    expect((await stranger.send(new sdk.ListMultipartUploadsCommand({ Bucket }))).Uploads).toBeUndefined()
    await s3.send(new sdk.AbortMultipartUploadCommand(of))
  })

  test('a key that was deleted is refused within seconds', async () => {
    const key = await keyOf(fs, 'leaver')
    const leaver = new S3Caller(`http://${cluster.s3}`, key)
    expect((await leaver.call({ path: '/' })).status).toBe(200)
    await fs.admin.credentials.delete(key.accessKeyId)
    const deadline = Date.now() + 10_000
    let status = 200
    while (status === 200 && Date.now() < deadline) {
      await new Promise((later) => setTimeout(later, 250))
      status = (await leaver.call({ path: '/' })).status
    }
    expect(status).toBe(403)
  }, 20_000)
})

describe('listings', () => {
  const names = [
    'a',
    'a-b/x',
    'a.txt',
    'a!/y/z',
    'a0',
    'b/c',
    'b/c.d/e',
    'b-/f',
    'z é/1',
    'z é/2',
    'z',
    '\u{1f600}',
    '\uffee',
  ]
  // `a` beside no `a/…`, and the like.
  const expected = [...names].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
  const listed = { Bucket: 'listings' }
  beforeAll(async () => {
    await s3.send(new sdk.CreateBucketCommand(listed))
    for (const Key of [...names, 'e/1', 'e.1', 'e-1/2'])
      await s3.send(new sdk.PutObjectCommand({ ...listed, Key, Body: 'x' }))
  })
  const all = ['e-1/2', 'e.1', 'e/1', ...expected].sort((x, y) =>
    Buffer.compare(Buffer.from(x), Buffer.from(y)),
  )

  test.each([1, 2, 3, 1000])('in the order of keys, %i a page, in both versions', async (MaxKeys) => {
    const second: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page: sdk.ListObjectsV2CommandOutput = await s3.send(
        new sdk.ListObjectsV2Command({ ...listed, MaxKeys, ContinuationToken }),
      )
      second.push(...(page.Contents ?? []).map(({ Key }) => Key!))
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    expect(second).toEqual(all)
    const first: string[] = []
    for (let Marker = ''; ; ) {
      const page: sdk.ListObjectsCommandOutput = await s3.send(
        new sdk.ListObjectsCommand({ ...listed, MaxKeys, Marker }),
      )
      first.push(...(page.Contents ?? []).map(({ Key }) => Key!))
      if (!page.IsTruncated) break
      Marker = first.at(-1)!
    }
    expect(first).toEqual(all)
  })

  test.each(['', 'a', 'b', 'b/', 'b/c', 'b/c.', 'e', 'nothing', 'z ', 'a//', '..'])(
    'with the prefix %p, whole and summed up, from everywhere',
    async (Prefix) => {
      const under = all.filter((key) => key.startsWith(Prefix))
      const sums: string[] = []
      for (const key of under) {
        const slash = key.indexOf('/', Prefix.length)
        const sum = slash === -1 ? key : key.slice(0, slash + 1)
        if (sums.at(-1) !== sum) sums.push(sum)
      }
      for (const StartAfter of ['', ...all]) {
        const after = (key: string) => Buffer.compare(Buffer.from(key), Buffer.from(StartAfter)) > 0
        const flat = await s3.send(new sdk.ListObjectsV2Command({ ...listed, Prefix, StartAfter }))
        expect((flat.Contents ?? []).map(({ Key }) => Key)).toEqual(under.filter(after))
      }
      const found: string[] = []
      let ContinuationToken: string | undefined
      do {
        const page: sdk.ListObjectsV2CommandOutput = await s3.send(
          new sdk.ListObjectsV2Command({ ...listed, Prefix, Delimiter: '/', MaxKeys: 2, ContinuationToken }),
        )
        found.push(
          ...[
            ...(page.Contents ?? []).map(({ Key }) => Key!),
            ...(page.CommonPrefixes ?? []).map((one) => one.Prefix!),
          ],
        )
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
      const inOrder = (list: string[]) =>
        [...list].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
      expect(inOrder(found)).toEqual(inOrder(sums))
    },
  )

  test('escaped, with another delimiter, and with bad numbers', async () => {
    const answer = await caller.call({
      path: '/listings',
      query: [
        ['list-type', '2'],
        ['encoding-type', 'url'],
        ['prefix', 'z%20'],
      ],
    })
    expect(answer.body.toString()).toContain('<Key>z%20%C3%A9/1</Key>')
    const { Contents, CommonPrefixes } = await s3.send(
      new sdk.ListObjectsV2Command({ ...listed, Prefix: 'a', Delimiter: '-' }),
    )
    expect([Contents?.length, CommonPrefixes]).toEqual([4, [{ Prefix: 'a-' }]])
    const asked = async (name: string, value: string) =>
      (
        await caller.call({
          path: '/listings',
          query: [
            ['list-type', '2'],
            [name, value],
          ],
        })
      ).status
    expect(await asked('max-keys', '-1')).toBe(400)
    expect(await asked('max-keys', 'x')).toBe(400)
    expect(await asked('continuation-token', 'x')).toBe(400)
    expect(await asked('encoding-type', 'base64')).toBe(400)
    expect(await asked('max-keys', '0')).toBe(200)
  })
})

describe('multipart uploads', () => {
  const begin = async (Key: string, more: Partial<sdk.CreateMultipartUploadCommandInput> = {}) => {
    const { UploadId } = await s3.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key, ...more }))
    return { Bucket, Key, UploadId: UploadId! }
  }
  const part = async (
    of: { Bucket: string; Key: string; UploadId: string },
    PartNumber: number,
    Body: Buffer,
  ) => {
    const { ETag } = await s3.send(new sdk.UploadPartCommand({ ...of, PartNumber, Body }))
    return { ETag, PartNumber }
  }
  const complete = (
    of: { Bucket: string; Key: string; UploadId: string },
    Parts: sdk.CompletedPart[],
    more: Partial<sdk.CompleteMultipartUploadCommandInput> = {},
  ) => s3.send(new sdk.CompleteMultipartUploadCommand({ ...of, MultipartUpload: { Parts }, ...more }))

  test('parts in any order become one object; one that is sent again replaces the first', async () => {
    const of = await begin('multi', { ContentType: 'text/m', Metadata: { m: '1' }, Tagging: 'a=b' })
    const bytes = [1, 2, 3].map((seed) => patternBytes(seed, seed === 3 ? 1000 : PART))
    const last = await part(of, 7, bytes[2]!)
    await part(of, 2, patternBytes(9, PART))
    const [first, second] = [await part(of, 1, bytes[0]!), await part(of, 2, bytes[1]!)]
    const { Parts } = await s3.send(new sdk.ListPartsCommand({ ...of, MaxParts: 2 }))
    expect(Parts!.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, PART],
      [2, PART],
    ])
    expect((await s3.send(new sdk.ListPartsCommand({ ...of, PartNumberMarker: '2' }))).Parts).toHaveLength(1)
    const { Uploads } = await s3.send(new sdk.ListMultipartUploadsCommand({ Bucket }))
    expect(Uploads!.map(({ Key }) => Key)).toContain('multi')
    expect(await refusal(get('multi'))).toEqual(['NoSuchKey', 404])
    const { ETag } = await complete(of, [first, second, last])
    const expectedTag = `"${md5(Buffer.concat(bytes.map((one) => createHash('md5').update(one).digest())))}-3"`
    expect(ETag).toBe(expectedTag)
    const answer = await get('multi')
    expect(answer).toMatchObject({ ContentType: 'text/m', Metadata: { m: '1' }, ETag, TagCount: 1 })
    expect(Buffer.from(await answer.Body!.transformToByteArray()).equals(Buffer.concat(bytes))).toBe(true)
    const second2 = await get('multi', { PartNumber: 2 })
    expect([second2.ContentLength, second2.PartsCount]).toEqual([PART, 3])
    await second2.Body!.transformToByteArray()
    // The answer may get lost: who asks again is told the same.
    expect((await complete(of, [first, second, last])).ETag).toBe(ETag)
    expect(await refusal(part(of, 1, bytes[0]!))).toEqual(['NoSuchUpload', 404])
    const left: string[] = []
    for await (const { name } of fs.list('/.alluxio-staging')) if (name.includes(of.UploadId)) left.push(name)
    expect(left).toEqual([])
  })

  /** Bytes of blocks that clients wrote to the worker. */
  const writtenBytes = async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${cluster.workers[0]!.webPort}/metrics`)).text()
    return Number(/^alluxio_worker_written_bytes_total (\d+)/m.exec(metrics)![1])
  }

  test.each([
    ['of one length are not copied', [PART, PART, PART, 70_000], true],
    ['of one length, the last too, are not copied', [PART, PART], true],
    ['a single one is not copied', [1000], true],
    ['that differ are', [PART, PART + 1, 100], false],
    ['whose last is the longest are', [PART, PART, PART + 1], false],
  ] as const)('parts %s', async (name, lengths, adopted) => {
    const of = await begin(`joined ${name}`)
    const bytes = lengths.map((length, i) => patternBytes(20 + i, length))
    const parts = await Promise.all(bytes.map((one, i) => part(of, i + 1, one)))
    const before = await writtenBytes()
    await complete(of, parts)
    const total = Buffer.concat(bytes)
    expect((await writtenBytes()) - before).toBe(adopted ? 0 : total.length)
    const joined = Buffer.from(await (await get(of.Key)).Body!.transformToByteArray())
    expect(joined.equals(total)).toBe(true)
    expect((await fs.getStatus(`/${Bucket}/${of.Key}`)).cachedBytes).toBe(total.length)
  })

  test('completed by many at once it is one object', async () => {
    const of = await begin('impatient')
    const bytes = [patternBytes(1, PART), patternBytes(2, 100)]
    const parts = await Promise.all(bytes.map((one, i) => part(of, i + 1, one)))
    const told = await Promise.all([1, 2, 3, 4].map(() => complete(of, parts)))
    expect(new Set(told.map(({ ETag }) => ETag)).size).toBe(1)
    const joined = Buffer.from(await (await get(of.Key)).Body!.transformToByteArray())
    expect(joined.equals(Buffer.concat(bytes))).toBe(true)
  })

  test('an object that is in its place already, of the same parts and words, is not made again', async () => {
    const uploads = [await begin('same'), await begin('same')]
    const told: (string | undefined)[] = []
    const ids: number[] = []
    for (const of of uploads) {
      told.push((await complete(of, [await part(of, 1, patternBytes(1, 100))])).ETag)
      ids.push((await fs.getStatus(`/${Bucket}/same`)).fileId)
    }
    expect([told[1], ids[1]]).toEqual([told[0], ids[0]])
    // Other words make it another object.
    const other = await begin('same', { ContentType: 'a/b' })
    await complete(other, [await part(other, 1, patternBytes(1, 100))])
    expect((await get('same')).ContentType).toBe('a/b')
    const left: string[] = []
    for await (const { name } of fs.list('/.alluxio-staging')) left.push(name)
    for (const { UploadId } of [...uploads, other]) expect(left).not.toContain(`s3-${UploadId}`)
  })

  test('what does not fit is refused, and the upload goes on', async () => {
    const of = await begin('refused')
    const [small, other] = [await part(of, 1, Buffer.from('small')), await part(of, 2, Buffer.from('other'))]
    expect(await refusal(complete(of, [other, small]))).toEqual(['InvalidPartOrder', 400])
    expect(await refusal(complete(of, [small, other]))).toEqual(['EntityTooSmall', 400])
    expect(await refusal(complete(of, [{ ...small, ETag: `"${'0'.repeat(32)}"` }]))).toEqual([
      'InvalidPart',
      400,
    ])
    expect(await refusal(complete(of, [{ ...small, PartNumber: 3 }]))).toEqual(['InvalidPart', 400])
    expect(await refusal(complete(of, []))).toEqual(['MalformedXML', 400])
    expect(await refusal(part(of, 0, Buffer.from('x')))).toEqual(['InvalidArgument', 400])
    expect(await refusal(part(of, 10_001, Buffer.from('x')))).toEqual(['InvalidArgument', 400])
    expect(await refusal(part({ ...of, Key: 'another' }, 1, Buffer.from('x')))).toEqual(['NoSuchUpload', 404])
    expect(await refusal(part({ ...of, UploadId: '../../etc' }, 1, Buffer.from('x')))).toEqual([
      'NoSuchUpload',
      404,
    ])
    await complete(of, [small])
    expect(await text('refused')).toBe('small')
  })

  test('aborted: nothing is left', async () => {
    const of = await begin('aborted')
    await part(of, 1, patternBytes(1, PART))
    await s3.send(new sdk.AbortMultipartUploadCommand(of))
    expect(await refusal(s3.send(new sdk.ListPartsCommand(of)))).toEqual(['NoSuchUpload', 404])
    expect(await refusal(s3.send(new sdk.AbortMultipartUploadCommand(of)))).toEqual(['NoSuchUpload', 404])
    expect(await refusal(get('aborted'))).toEqual(['NoSuchKey', 404])
  })

  test('parts are copied from objects, and ranges of them', async () => {
    const bytes = patternBytes(5, PART + 100)
    await put('source', bytes)
    const of = await begin('joined')
    const CopySource = `${Bucket}/source`
    const copy = async (PartNumber: number, CopySourceRange: string) => {
      const { CopyPartResult } = await s3.send(
        new sdk.UploadPartCopyCommand({ ...of, PartNumber, CopySource, CopySourceRange }),
      )
      return { PartNumber, ETag: CopyPartResult!.ETag }
    }
    const parts = [await copy(1, `bytes=100-${PART + 99}`), await copy(2, 'bytes=0-99')]
    expect(await refusal(copy(3, `bytes=${PART + 100}-${PART + 200}`))).toEqual(['InvalidRange', 416])
    await complete(of, parts)
    const joined = Buffer.from(await (await get('joined')).Body!.transformToByteArray())
    expect(joined.equals(Buffer.concat([bytes.subarray(100), bytes.subarray(0, 100)]))).toBe(true)
  })

  test('only if nothing is there', async () => {
    await put('taken', 'x')
    const of = await begin('taken')
    const parts = [await part(of, 1, Buffer.from('y'))]
    expect(await refusal(complete(of, parts, { IfNoneMatch: '*' }))).toEqual(['PreconditionFailed', 412])
    expect(await text('taken')).toBe('x')
    await complete(of, parts)
    expect(await text('taken')).toBe('y')
  })
})
