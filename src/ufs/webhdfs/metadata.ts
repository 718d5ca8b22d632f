/** What HDFS knows about a file or itself beyond its status: places of blocks, checksum, space. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { UfsBlockLocation, UfsChecksum, UfsSpace } from '../store.ts'
import { fromConnection, malformed } from './errors.ts'
import { type HdfsCall, type NameNodes, placeOf } from './name-nodes.ts'
import { textOf } from './transport.ts'

interface BlockLocation {
  readonly offset: number
  readonly length: number
  readonly hosts: readonly string[]
}

interface LocatedBlock {
  readonly startOffset: number
  readonly block: { readonly numBytes: number }
  readonly locations: readonly { readonly hostName: string }[]
}

/** The public call came with Hadoop 3; before there was an internal one with another answer. */
export async function blockLocations(
  nodes: NameNodes,
  place: string,
  range: { readonly offset?: number; readonly length?: number; readonly signal?: AbortSignal },
): Promise<readonly UfsBlockLocation[]> {
  const { signal, ...query } = range
  const call: HdfsCall = { method: 'GET', op: 'GETFILEBLOCKLOCATIONS', path: place, query, signal }
  try {
    const answer = await nodes.call(call)
    const found = (answer?.BlockLocations as { BlockLocation?: readonly BlockLocation[] } | undefined)
      ?.BlockLocation
    if (found === undefined)
      throw malformed(`${call.op} ${place}`, 'the NameNode', JSON.stringify(answer ?? ''))
    return found.map(({ offset, length, hosts }) => ({ offset, length, hosts }))
  } catch (error) {
    if (!unknownOperation(error)) throw error
    const answer = await nodes.call({ ...call, op: 'GET_BLOCK_LOCATIONS' })
    return located(answer, place)
  }
}

/** Whether nobody is writing the file, as far as the NameNode tells: if it does not, somebody may. */
export async function isClosed(nodes: NameNodes, place: string): Promise<boolean> {
  const answer = await nodes.call({ method: 'GET', op: 'GET_BLOCK_LOCATIONS', path: place })
  const blocks = answer?.LocatedBlocks as { readonly isUnderConstruction?: boolean } | undefined
  return blocks?.isUnderConstruction === false
}

/** The places in an answer to GET_BLOCK_LOCATIONS. */
export function located(
  answer: Readonly<Record<string, unknown>> | undefined,
  place: string,
): readonly UfsBlockLocation[] {
  const blocks = (answer?.LocatedBlocks as { locatedBlocks?: readonly LocatedBlock[] } | undefined)
    ?.locatedBlocks
  if (blocks === undefined) {
    throw malformed(`GET_BLOCK_LOCATIONS ${place}`, 'the NameNode', JSON.stringify(answer ?? ''))
  }
  return blocks.map(({ startOffset, block, locations }) => ({
    offset: startOffset,
    length: block.numBytes,
    hosts: locations.map(({ hostName }) => hostName),
  }))
}

/** A DataNode computes it from the checksums of the blocks. */
export async function fileChecksum(
  nodes: NameNodes,
  place: string,
  signal: AbortSignal | undefined,
): Promise<UfsChecksum> {
  const call: HdfsCall = { method: 'GET', op: 'GETFILECHECKSUM', path: place, signal }
  const location = await nodes.locate(call)
  const what = `${call.op} ${place}`
  const at = placeOf(location)
  const incoming = await nodes.fetch(call, location)
  try {
    const text = await textOf(incoming)
    const { FileChecksum } = JSON.parse(text) as { FileChecksum?: { algorithm: string; bytes: string } }
    if (FileChecksum === undefined) throw malformed(what, at, text)
    return { algorithm: FileChecksum.algorithm, hex: FileChecksum.bytes }
  } catch (error) {
    throw fromConnection(error, what, at, signal)
  }
}

/** Of the whole file system; GETSTATUS came with Hadoop 3.4. */
export async function space(
  nodes: NameNodes,
  place: string,
  signal: AbortSignal | undefined,
): Promise<UfsSpace> {
  const call: HdfsCall = { method: 'GET', op: 'GETSTATUS', path: place, signal }
  try {
    const answer = await nodes.call(call)
    const status = answer?.FsStatus as { capacity?: number; used?: number } | undefined
    if (typeof status?.capacity !== 'number' || typeof status.used !== 'number') {
      throw malformed(`${call.op} ${place}`, 'the NameNode', JSON.stringify(answer ?? ''))
    }
    return { totalBytes: status.capacity, usedBytes: status.used }
  } catch (error) {
    if (!unknownOperation(error)) throw error
    throw new AlluxioError('UNSUPPORTED', 'HDFS tells its space by WebHDFS from Hadoop 3.4 on', {
      cause: error,
    })
  }
}

function unknownOperation(error: unknown): boolean {
  return isAlluxioError(error, 'INVALID_ARGUMENT') && /webhdfs parameter "op"/.test(error.message)
}
