/** Metadata in the JSON of WebHDFS, written by hand: it is most of what a gateway sends. */
import type { BlockPlace, FileStatus } from '../../client/index.ts'

/** A FileStatus object. @param suffix its name in a listing, '' for what was asked for itself */
export function statusJson(status: FileStatus, suffix: string): string {
  const { folder, length } = status
  const id = `{"accessTime":${folder ? 0 : status.lastAccessTimeMs},${status.extendedAcl ? '"aclBit":true,' : ''}"blockSize":${folder ? 0 : status.blockSizeBytes},"childrenNum":${folder ? length : 0},"fileId":${status.fileId}`
  const owned = `"group":${quoted(status.group)},"length":${folder ? 0 : length},"modificationTime":${status.lastModificationTimeMs},"owner":${quoted(status.owner)}`
  const rest = `"permission":"${octal(status.mode)}","replication":${folder ? 0 : Math.max(1, status.replicationMin)},"storagePolicy":0,"type":"${folder ? 'DIRECTORY' : 'FILE'}"}`
  return `${id},${owned},"pathSuffix":${suffix === '' ? '""' : JSON.stringify(suffix)},${rest}`
}

const QUOTED = new Map<string, string>()

/** Names of users and groups are few. */
function quoted(name: string): string {
  let text = QUOTED.get(name)
  if (text === undefined) {
    if (QUOTED.size > 10_000) QUOTED.clear()
    text = JSON.stringify(name)
    QUOTED.set(name, text)
  }
  return text
}

/** As HDFS writes it: without leading zeros, but never empty. */
export function octal(mode: number): string {
  return (mode & 0o1777).toString(8)
}

/** A host that holds blocks, as clients are to see it. */
export interface Holder {
  readonly host: string
  readonly port: number
}

export type HolderOf = (workerId: number, host: string) => Holder

/** Hosts named for one block. */
const MAX_HOSTS = 3

interface PlacedHost extends Holder {
  readonly inMemory: boolean
}

function hostsOf({ locations }: BlockPlace, holderOf: HolderOf): PlacedHost[] {
  const hosts: PlacedHost[] = []
  for (const { workerId, host, tier } of locations) {
    const holder = holderOf(workerId, host)
    if (hosts.some((known) => known.host === holder.host)) continue
    hosts.push({ host: holder.host, port: holder.port, inMemory: tier === 'MEM' })
    if (hosts.length === MAX_HOSTS) break
  }
  return hosts
}

/** The blocks that a range touches. */
export function placesIn(places: readonly BlockPlace[], offset: number, length: number): BlockPlace[] {
  return places.filter((place) => place.offset + place.length > offset && place.offset < offset + length)
}

/** GETFILEBLOCKLOCATIONS: what Hadoop 3.4 asks. A block that nobody caches has no hosts. */
export function blockLocationsJson(places: readonly BlockPlace[], holderOf: HolderOf): string {
  return JSON.stringify({ BlockLocations: { BlockLocation: blockLocations(places, holderOf) } })
}

/** What LISTLOCATED tells of the blocks of a file: of the above what its reader needs. */
export function placesJson(places: readonly BlockPlace[], holderOf: HolderOf): string {
  const told = places.map((place) => {
    const hosts = hostsOf(place, holderOf)
    return {
      offset: place.offset,
      length: place.length,
      hosts: hosts.map(({ host }) => host),
      names: hosts.map(({ host, port }) => `${host}:${port}`),
    }
  })
  return JSON.stringify(told)
}

function blockLocations(places: readonly BlockPlace[], holderOf: HolderOf): object[] {
  return places.map((place) => {
    const hosts = hostsOf(place, holderOf)
    return {
      cachedHosts: hosts.filter(({ inMemory }) => inMemory).map(({ host }) => host),
      corrupt: false,
      hosts: hosts.map(({ host }) => host),
      length: place.length,
      names: hosts.map(({ host, port }) => `${host}:${port}`),
      offset: place.offset,
      storageTypes: hosts.map(() => 'DISK'),
      topologyPaths: hosts.map(({ host, port }) => `/default-rack/${host}:${port}`),
    }
  })
}

/** GET_BLOCK_LOCATIONS: what Hadoop 3.3 asks. @param all of the file */
export function locatedBlocksJson(
  all: readonly BlockPlace[],
  asked: readonly BlockPlace[],
  fileLength: number,
  holderOf: HolderOf,
): string {
  const last = all.at(-1)
  return JSON.stringify({
    LocatedBlocks: {
      fileLength,
      isLastBlockComplete: true,
      isUnderConstruction: false,
      lastLocatedBlock: last === undefined ? null : locatedBlock(last, holderOf),
      locatedBlocks: asked.map((place) => locatedBlock(place, holderOf)),
    },
  })
}

function locatedBlock(place: BlockPlace, holderOf: HolderOf): object {
  const locations = hostsOf(place, holderOf).map(({ host, port, inMemory }) => ({
    inMemory,
    json: {
      ...NODE,
      hostName: host,
      ipAddr: host,
      infoPort: port,
      ipcPort: port,
      name: `${host}:${port}`,
      xferPort: port,
    },
  }))
  return {
    block: { blockId: place.blockId, blockPoolId: 'alluxio', generationStamp: 0, numBytes: place.length },
    // An empty token: four empty fields.
    blockToken: { urlString: 'AAAAAA' },
    cachedLocations: locations.filter(({ inMemory }) => inMemory).map(({ json }) => json),
    isCorrupt: false,
    locations: locations.map(({ json }) => json),
    startOffset: place.offset,
    storageTypes: locations.map(() => 'DISK'),
  }
}

/** What a DataNode tells of itself and nobody reads. */
const NODE = {
  adminState: 'NORMAL',
  blockPoolUsed: 0,
  cacheCapacity: 0,
  cacheUsed: 0,
  capacity: 0,
  dfsUsed: 0,
  infoSecurePort: 0,
  lastBlockReportMonotonic: 0,
  lastBlockReportTime: 0,
  lastUpdate: 0,
  lastUpdateMonotonic: 0,
  networkLocation: '/default-rack',
  nonDfsUsed: 0,
  numBlocks: 0,
  remaining: 0,
  storageID: '',
  xceiverCount: 0,
}
