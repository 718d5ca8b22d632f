/**
 * The AWS SDK with nothing round it: `raw-s3.ts ENDPOINT BUCKET KEY put BYTES | get BYTES PARALLEL PART | search BYTES`. Prints
 * seconds and CPU seconds as JSON; `search` finds the parallelism that is fastest.
 */
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

const MIB = 2 ** 20
const [endpoint, Bucket, Key, verb, ...numbers] = process.argv.slice(2)
const [bytes = 0, parallel = 0, partBytes = 0] = numbers.map(Number)
const client = new S3Client({ endpoint: endpoint!, region: 'us-east-1', forcePathStyle: true })
const object = { Bucket: Bucket!, Key: Key! }

interface Outcome {
  readonly secs: number
  readonly cpu: number
  readonly parallel: number
  readonly partBytes: number
}

async function put(): Promise<void> {
  const part = 64 * MIB
  for (let attempt = 0; ; attempt++) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: Bucket! }))
      break
    } catch (error) {
      // The server is just starting.
      if (attempt === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object))
  const Parts: { ETag: string; PartNumber: number }[] = []
  for (let at = 0, PartNumber = 1; at < bytes; at += part, PartNumber++) {
    const Body = new Uint8Array(Math.min(part, bytes - at)).fill(PartNumber)
    const { ETag } = await client.send(
      new UploadPartCommand({ ...object, UploadId: UploadId!, PartNumber, Body }),
    )
    Parts.push({ ETag: ETag!, PartNumber })
  }
  await client.send(
    new CompleteMultipartUploadCommand({ ...object, UploadId: UploadId!, MultipartUpload: { Parts } }),
  )
}

/** Ranged reads, `inFlight` at a time, each consumed as it streams. */
async function get(inFlight: number, part: number): Promise<Outcome> {
  const before = process.cpuUsage()
  const start = performance.now()
  let next = 0
  let total = 0
  const reader = async () => {
    for (let at = next; at < bytes; at = next) {
      next += part
      const Range = `bytes=${at}-${Math.min(bytes, at + part) - 1}`
      const { Body } = await client.send(new GetObjectCommand({ ...object, Range }))
      for await (const chunk of Body as AsyncIterable<Uint8Array>) total += chunk.length
    }
  }
  await Promise.all(Array.from({ length: inFlight }, reader))
  if (total !== bytes) throw new Error(`${total} of ${bytes} bytes`)
  const { user, system } = process.cpuUsage(before)
  return {
    secs: (performance.now() - start) / 1000,
    cpu: (user + system) / 1e6,
    parallel: inFlight,
    partBytes: part,
  }
}

async function search(): Promise<Outcome> {
  let best: Outcome | undefined
  for (const inFlight of [2, 4, 8, 16, 32])
    for (const part of [4 * MIB, 16 * MIB]) {
      const outcome = await get(inFlight, part)
      if (best === undefined || outcome.secs < best.secs) best = outcome
    }
  return best!
}

if (verb === 'put') await put()
const outcome = verb === 'search' ? await search() : verb === 'get' ? await get(parallel, partBytes) : {}
process.stdout.write(JSON.stringify(outcome))
