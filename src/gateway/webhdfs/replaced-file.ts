/**
 * What a redirect says of the file that is going to be replaced. HDFS replaces a file when its overwriting begins, and what is set of the path
 * from then on (Hadoop's `FileSystem.create` with a permission does) is of the new one. Here the old one stays until the new one is
 * whole; what was changed of it since the redirect passes on then.
 */
import type { FileStatus, ReplacedFile } from '../../client/index.ts'
import { AlluxioError } from '../../core/index.ts'

/** Its parameter in the redirect, which the token is signed with. */
export const REPLACED_PARAMETER = 'alluxio.replaced'

export function replacedText({ fileId, mode, owner, group, lastAccessTimeMs }: FileStatus): string {
  return Buffer.from(JSON.stringify([fileId, mode, owner, group, lastAccessTimeMs])).toString('base64url')
}

/** Of a text whose signature was checked. */
export function replacedFile(text: string): ReplacedFile {
  try {
    const [fileId, mode, owner, group, accessedMs] = JSON.parse(Buffer.from(text, 'base64url').toString())
    return { fileId, mode, owner, group, accessedMs }
  } catch (error) {
    throw new AlluxioError('INVALID_ARGUMENT', `${REPLACED_PARAMETER} is malformed`, { cause: error })
  }
}

/** What the token of a redirect is for. */
export function grantedOperation(op: string, replaced: string | undefined): string {
  return replaced === undefined ? op : `${op}+${replaced}`
}
