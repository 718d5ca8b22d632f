/**
 * Which server speaks S3, and what it does otherwise than Amazon's. Named by an option, or known from its answers. What differs
 * is declared (capabilities, a warning, docs/reference/under-stores.md), not hidden.
 */
import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Log } from '../../core/index.ts'
import type { UfsCapabilities } from '../store.ts'
import { base64Crc, crc32cOf } from './checksum.ts'

export type S3ServerKind = 'aws' | 'minio' | 'rgw' | 'gcs' | 'oss' | 'cos' | 'obs' | 'other'
export type UploadChecksum = 'CRC32C' | 'MD5' | 'NONE'

interface Traits {
  /**
   * The end of an upload in parts heeds `If-None-Match`. Ceph's gateway (16.2) does so for whole objects only, and replaces
   * what has come meanwhile.
   */
  readonly conditionalParts: boolean
  /** Whole objects heed it. The others are looked for before they are put. */
  readonly conditionalPuts: boolean
  /** Objects of any length are copied by one call, and not in parts. */
  readonly wholeCopies: boolean
}

const AMAZON: Traits = { conditionalParts: true, conditionalPuts: true, wholeCopies: false }
const UNCONDITIONAL: Traits = { ...AMAZON, conditionalParts: false, conditionalPuts: false }

const TRAITS: Readonly<Record<S3ServerKind, Traits>> = {
  aws: AMAZON,
  minio: AMAZON,
  rgw: { ...AMAZON, conditionalParts: false },
  gcs: { ...AMAZON, conditionalParts: false, wholeCopies: true },
  oss: AMAZON,
  cos: UNCONDITIONAL,
  obs: UNCONDITIONAL,
  other: AMAZON,
}

export class S3Server {
  readonly #checksum: UploadChecksum
  readonly #log: Log
  #kind: S3ServerKind | undefined
  #warned = false

  constructor(
    options: { readonly kind: S3ServerKind | 'auto'; readonly checksum: UploadChecksum },
    modules: { readonly log: Log },
  ) {
    this.#kind = options.kind === 'auto' ? undefined : options.kind
    this.#checksum = options.checksum
    this.#log = modules.log
  }

  /** `other` until the first answer. */
  get kind(): S3ServerKind {
    return this.#kind ?? 'other'
  }

  get conditionalParts(): boolean {
    return TRAITS[this.kind].conditionalParts
  }

  get conditionalPuts(): boolean {
    return TRAITS[this.kind].conditionalPuts
  }

  get wholeCopies(): boolean {
    return TRAITS[this.kind].wholeCopies
  }

  /** Says at any time what is known by then. */
  capabilities(declared: UfsCapabilities): UfsCapabilities {
    const server = this
    return {
      ...declared,
      get conditionalCreate() {
        return server.conditionalParts
      },
    }
  }

  /** Looks at the answers to the SDK's requests, of which every mount begins with one, until the server is known. */
  watch(client: S3Client): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        if (this.#kind === undefined) {
          const { headers } = result.response as { headers?: Readonly<Record<string, string>> }
          this.#kind = kindOf(headers ?? {})
          this.#log.debug('S3 server', { kind: this.#kind })
        }
        return result
      },
      { step: 'deserialize', name: 'knowServer', priority: 'low' },
    )
  }

  /** The algorithm that an upload in parts announces. */
  get announced(): { ChecksumAlgorithm?: 'CRC32C' } {
    return this.#checksum === 'CRC32C' ? { ChecksumAlgorithm: 'CRC32C' } : {}
  }

  /** What goes along with bytes for the server to verify. */
  checksumOf(chunks: readonly Uint8Array[]): { ChecksumCRC32C?: string; ContentMD5?: string } {
    if (this.#checksum === 'CRC32C') return { ChecksumCRC32C: base64Crc(crc32cOf(chunks)) }
    if (this.#checksum === 'NONE') return {}
    const hash = createHash('md5')
    for (const chunk of chunks) hash.update(chunk)
    return { ContentMD5: hash.digest('base64') }
  }

  /** A server that verified a CRC32C repeats it. */
  took({ ChecksumCRC32C: verified }: { readonly ChecksumCRC32C?: string | undefined }): void {
    if (this.#checksum !== 'CRC32C' || verified !== undefined || this.#warned) return
    this.#warned = true
    this.#log.warn(
      'the S3 server does not verify CRC32C: bytes that change on the way to it would be stored; alluxio.underfs.s3.checksum=MD5 is verified by all servers',
      { server: this.kind },
    )
  }
}

function kindOf(headers: Readonly<Record<string, string>>): S3ServerKind {
  const { server = '' } = headers
  if (/^AmazonS3/i.test(server)) return 'aws'
  if (/minio/i.test(server)) return 'minio'
  // Ceph's gateway named itself late; the ids of its requests were always of this form.
  if (/ceph/i.test(server) || /^tx[0-9a-f]{15,}-[0-9a-f]+-/.test(headers['x-amz-request-id'] ?? ''))
    return 'rgw'
  return 'other'
}
