/** Buckets: the folders of the gateway's root. */
import type { FileStatus, FileSystem } from '../../client/index.ts'
import type { Runtime } from '../../core/index.ts'
import { isAlluxioError } from '../../core/index.ts'
import { S3Error } from './errors.ts'
import { answerEmpty, answerXml, type Exchange, iso } from './exchange.ts'
import { isBucketName, isNewBucketName, type Keys, noSuchBucket } from './keys.ts'
import { MARKER_XATTR } from './object-info.ts'
import { receiveDocument } from './upload-body.ts'
import { element, parseXml, textOf } from './xml.ts'

const MAX_CONFIGURATION_BYTES = 64 * 1024

export interface BucketsModules {
  readonly keys: Keys
  readonly runtime: Runtime
}

export class Buckets {
  readonly #modules: BucketsModules

  constructor(modules: BucketsModules) {
    this.#modules = modules
  }

  /** @throws NoSuchBucket */
  async check(fs: FileSystem, bucket: string): Promise<FileStatus> {
    const path = this.#modules.keys.bucket(bucket)
    try {
      const status = await fs.getStatus(path)
      if (status.folder) return status
    } catch (error) {
      if (!isAlluxioError(error, 'NOT_FOUND') && !isAlluxioError(error, 'NOT_A_DIRECTORY')) throw error
    }
    throw noSuchBucket(bucket)
  }

  async list(exchange: Exchange): Promise<void> {
    const { fs, user } = exchange
    let inner = ''
    try {
      for await (const status of fs.list(this.#modules.keys.root)) {
        if (!status.folder || !isBucketName(status.name)) continue
        inner += `<Bucket>${element('Name', status.name)}${element('CreationDate', iso(status.creationTimeMs))}</Bucket>`
      }
    } catch (error) {
      // A root that nobody has made yet has no buckets.
      if (!isAlluxioError(error, 'NOT_FOUND')) throw error
    }
    answerXml(exchange, 'ListAllMyBucketsResult', `${ownerXml(user)}<Buckets>${inner}</Buckets>`)
  }

  async create(exchange: Exchange): Promise<void> {
    const { request, fs, user, payload } = exchange
    const { bucket } = request
    if (!isNewBucketName(bucket))
      throw new S3Error('InvalidBucketName', undefined, { details: { BucketName: bucket } })
    if (request.headers.get('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true')
      throw new S3Error('NotImplemented', 'Object lock is not implemented here.')
    const text = await receiveDocument(request, payload, this.#modules.runtime, MAX_CONFIGURATION_BYTES)
    if (text.trim() !== '') parseXml(text, 'CreateBucketConfiguration')
    try {
      await fs.mkdir(this.#modules.keys.bucket(bucket), { recursive: true })
    } catch (error) {
      if (!isAlluxioError(error, 'ALREADY_EXISTS')) throw error
      const { owner } = await fs.getStatus(this.#modules.keys.bucket(bucket))
      throw new S3Error(owner === user ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', undefined, {
        details: { BucketName: bucket },
      })
    }
    answerEmpty(exchange, 200, ['location', `/${bucket}`])
  }

  async head(exchange: Exchange): Promise<void> {
    await this.check(exchange.fs, exchange.request.bucket)
    answerEmpty(exchange, 200, ['x-amz-bucket-region', 'us-east-1'])
  }

  async delete(exchange: Exchange): Promise<void> {
    const { request, fs } = exchange
    await this.check(fs, request.bucket)
    try {
      await fs.delete(this.#modules.keys.bucket(request.bucket))
    } catch (error) {
      if (isAlluxioError(error, 'DIRECTORY_NOT_EMPTY')) throw new S3Error('BucketNotEmpty')
      if (isAlluxioError(error, 'NOT_FOUND')) throw noSuchBucket(request.bucket)
      throw error
    }
    answerEmpty(exchange, 204)
  }

  async location(exchange: Exchange): Promise<void> {
    await this.check(exchange.fs, exchange.request.bucket)
    answerXml(exchange, 'LocationConstraint', '')
  }

  async versioning(exchange: Exchange): Promise<void> {
    const { request, fs, payload } = exchange
    await this.check(fs, request.bucket)
    if (request.method === 'GET') return answerXml(exchange, 'VersioningConfiguration', '')
    const text = await receiveDocument(request, payload, this.#modules.runtime, MAX_CONFIGURATION_BYTES)
    if (textOf(parseXml(text, 'VersioningConfiguration'), 'Status') !== 'Suspended')
      throw new S3Error('NotImplemented', 'There are no versions here.')
    answerEmpty(exchange, 200)
  }

  /** Whoever owns it may do everything; who else may do what is said by the permissions of the namespace. */
  async acl(exchange: Exchange, status: () => Promise<FileStatus>): Promise<void> {
    const { request } = exchange
    const { owner } = await status()
    if (request.method === 'GET') {
      const grantee = `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">${element('ID', owner)}${element('DisplayName', owner)}</Grantee>`
      const grants = `<AccessControlList><Grant>${grantee}<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>`
      return answerXml(exchange, 'AccessControlPolicy', ownerXml(owner) + grants)
    }
    checkAcl(request.headers, true)
    answerEmpty(exchange, 200)
  }
}

const ACLS = new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read'])

/** Only what changes nothing is taken. @throws NotImplemented */
export function checkAcl(headers: ReadonlyMap<string, string>, needed = false): void {
  const acl = headers.get('x-amz-acl')
  const grants = [...headers.keys()].some((name) => name.startsWith('x-amz-grant-'))
  if (grants || (acl === undefined ? needed : !ACLS.has(acl))) {
    throw new S3Error(
      'NotImplemented',
      'Only the access list "private" is known here: who else may do what is said by the permissions of the namespace.',
    )
  }
}

export function ownerXml(user: string): string {
  return `<Owner>${element('ID', user)}${element('DisplayName', user)}</Owner>`
}

export function isMarked(status: FileStatus): boolean {
  return status.xattr[MARKER_XATTR] !== undefined
}
