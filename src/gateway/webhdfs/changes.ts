/** Operations that change metadata. */

import type { FileSystem } from '../../client/index.ts'
import {
  AlluxioError,
  baseName,
  canonicalPath,
  isAlluxioError,
  isWithin,
  joinPath,
  parentPath,
} from '../../core/index.ts'
import { booleanJson, type Operation } from './operation.ts'
import { invalid } from './request.ts'

export const mkdirs: Operation = async ({ fs, asked }) => {
  const mode = asked.mode('permission') ?? 0o755
  if (asked.path !== '/') await fs.mkdir(asked.path, { recursive: true, allowExists: true, mode })
  return booleanJson(true)
}

export const remove: Operation = async ({ fs, asked }) => {
  if (asked.path === '/') return booleanJson(false)
  try {
    await fs.delete(asked.path, { recursive: asked.boolean('recursive', false) })
    return booleanJson(true)
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY'))
      return booleanJson(false)
    throw error
  }
}

export const rename: Operation = async ({ fs, asked }) => {
  const src = asked.path
  const dst = canonicalPath(asked.required('destination'))
  const options = asked.get('renameoptions')
  if (options === undefined) return booleanJson(await plainRename(fs, src, dst))
  const words = options.split(',').map((word) => word.trim().toUpperCase())
  const unknown = words.find(
    (word) => word !== 'NONE' && word !== 'OVERWRITE' && word !== 'TO_TRASH' && word !== '',
  )
  if (unknown !== undefined) throw invalid('renameoptions', unknown, 'it must be NONE, OVERWRITE or TO_TRASH')
  await strictRename(fs, src, dst, words.includes('OVERWRITE'))
  return ''
}

/** HDFS' first rename: into a directory that is there, and false for what cannot be. */
async function plainRename(fs: FileSystem, src: string, dst: string): Promise<boolean> {
  if (src === '/' || isWithin(dst, src)) {
    // A file renamed to itself is one; a directory is not.
    const status = await fs.getStatus(src).catch(ifAbsent)
    return src === dst && status?.folder === false
  }
  try {
    if (dst !== '/') {
      await fs.rename(src, dst)
      return true
    }
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND')) return false
    if (!isAlluxioError(error, 'ALREADY_EXISTS')) throw error
  }
  const there = await fs.getStatus(dst).catch(ifAbsent)
  if (there?.folder !== true) return false
  try {
    await fs.rename(src, joinPath(dst, baseName(src)))
    return true
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'ALREADY_EXISTS')) return false
    throw error
  }
}

/** HDFS' second rename: the target is the name itself, and what cannot be is told. */
async function strictRename(fs: FileSystem, src: string, dst: string, overwrite: boolean): Promise<void> {
  const source = await fs.getStatus(src)
  if (src === dst) throw exists(dst, 'the source and the destination are the same')
  if (src === '/' || dst === '/')
    throw new AlluxioError('CONFLICT', 'the root can be neither source nor destination of a rename')
  if (isWithin(dst, src))
    throw new AlluxioError('CONFLICT', `the destination ${dst} lies within the source ${src}`)
  const target = await fs.getStatus(dst).catch(ifAbsent)
  if (target === undefined) {
    const parent = await fs.getStatus(parentPath(dst))
    if (!parent.folder) throw new AlluxioError('NOT_A_DIRECTORY', `the parent of ${dst} is a file`)
  } else if (target.folder !== source.folder) {
    throw new AlluxioError('CONFLICT', `${src} and ${dst} must both be files or both be directories`)
  } else if (!overwrite) throw exists(dst, 'it is in the way of the rename')
  else if (target.folder && target.length > 0) {
    throw new AlluxioError('CONFLICT', `the destination directory ${dst} is not empty`)
  }
  await fs.rename(src, dst, { overwrite })
}

function exists(path: string, why: string): AlluxioError {
  return new AlluxioError('ALREADY_EXISTS', `${path} exists already: ${why}`, { details: { path } })
}

function ifAbsent(error: unknown): undefined {
  if (isAlluxioError(error, 'NOT_FOUND')) return undefined
  throw error
}

export const setPermission: Operation = async ({ fs, asked }) => {
  await fs.setAttribute(asked.path, { mode: asked.mode('permission') ?? 0o755 })
  return ''
}

export const setOwner: Operation = async ({ fs, asked }) => {
  const owner = asked.get('owner') ?? ''
  const group = asked.get('group') ?? ''
  if (owner === '' && group === '') throw invalid('owner', '', 'neither owner nor group is given')
  await fs.setAttribute(asked.path, {
    ...(owner === '' ? {} : { owner }),
    ...(group === '' ? {} : { group }),
  })
  return ''
}

export const setTimes: Operation = async ({ fs, asked }) => {
  const modifiedMs = asked.integer('modificationtime', -1) ?? -1
  const accessedMs = asked.integer('accesstime', -1) ?? -1
  const changes = { ...(modifiedMs < 0 ? {} : { modifiedMs }), ...(accessedMs < 0 ? {} : { accessedMs }) }
  if (Object.keys(changes).length === 0) await fs.getStatus(asked.path)
  else await fs.setAttribute(asked.path, changes)
  return ''
}

export const setReplication: Operation = async ({ fs, asked }) => {
  const replicas = asked.integer('replication', 1) ?? 1
  const status = await fs.getStatus(asked.path).catch(ifAbsent)
  if (status === undefined || status.folder) return booleanJson(false)
  const replicationMax =
    status.replicationMax >= 0 && status.replicationMax < replicas ? { replicationMax: replicas } : {}
  await fs.setAttribute(asked.path, { replicationMin: replicas, ...replicationMax })
  return booleanJson(true)
}
