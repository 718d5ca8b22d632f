/**
 * The figures of issues 3 and 5, stated once: the work, what upstream did on a quiet machine, and what ours must reach. A cell is one
 * measurement; its id is the section's name for it.
 *
 * A bound is `>= 3x` or `<= 0.5x` (times what upstream reached in the same run), `<= 150` (in the cell's own unit), or
 * `>= 0.8 CELL` (times our own median of another cell).
 */
export interface Bounds {
  readonly value?: string
  /** Of CPU seconds a unit of work, client and servers together. */
  readonly cpu?: string
  /** Of the median latency, microseconds. */
  readonly p50?: string
}

export interface Figure {
  readonly section: Section
  readonly work: string
  readonly upstream: string
  readonly cells: Readonly<Record<string, Bounds>>
}

export const SECTIONS = ['meta', 'clients', 'list', 'io', 'small', 'cli', 'inodes', 's3', 'gateways'] as const
export type Section = (typeof SECTIONS)[number]

const THIRD = '<= 0.333x'
const FIFTH = '<= 0.2x'

export const FIGURES: readonly Figure[] = [
  {
    section: 'meta',
    work: 'getStatus, 64 in flight, one client',
    upstream: '21,000-25,000/s, 76-89 us CPU',
    cells: { 'getStatus@64': { value: '>= 3x', cpu: THIRD } },
  },
  {
    section: 'meta',
    work: 'create (empty, durable), 64 in flight',
    upstream: '7,100-7,900/s, 244-259 us',
    cells: { 'create@64': { value: '>= 5x', cpu: FIFTH } },
  },
  {
    section: 'meta',
    work: 'mkdir, rename, delete, 64 in flight',
    upstream: '16,000-19,000/s each, 89-115 us',
    cells: {
      'mkdir@64': { value: '>= 2.5x', cpu: THIRD },
      'rename@64': { value: '>= 2.5x', cpu: THIRD },
      'delete@64': { value: '>= 2.5x', cpu: THIRD },
    },
  },
  {
    section: 'meta',
    work: 'getStatus, 1 in flight',
    upstream: 'p50 199-216 us',
    cells: { 'getStatus@1': { p50: '<= 150' } },
  },
  {
    section: 'clients',
    work: 'the same with 64 separate client processes',
    upstream: 'measured here',
    cells: {
      'getStatus@64 processes': { value: '>= 1x' },
      'create@64 processes': { value: '>= 1x' },
      'mkdir@64 processes': { value: '>= 1x' },
      'rename@64 processes': { value: '>= 1x' },
      'delete@64 processes': { value: '>= 1x' },
    },
  },
  {
    section: 'list',
    work: 'list 1,000 and 10,000 children',
    upstream: '180 and 16 lists/s one at a time; 6.6 and 66 ms CPU',
    cells: { 'list 1000@1': { value: '>= 5x', cpu: FIFTH }, 'list 10000@1': { value: '>= 5x', cpu: FIFTH } },
  },
  {
    section: 'io',
    work: 'sequential read, warm, same host, 1 MiB buffers, /dev/shm',
    upstream: '4.5-4.8 GB/s, 0.23 CPU s/GB',
    cells: { 'read shm@1': { value: '>= 1x' } },
  },
  {
    section: 'io',
    work: 'the same on tmpfs with huge pages',
    upstream: '9.6-11.8 GB/s',
    cells: { 'read huge@1': { value: '>= 2x' } },
  },
  {
    section: 'io',
    work: 'mapped views, huge pages, against plain memcpy (memcpy into one window and one load a cache line are reported too)',
    upstream: 'has none',
    cells: {
      'map copy huge@1': { value: '>= 1 memcpy copy' },
      'map touch huge@1': { value: '>= 1 memcpy copy' },
    },
  },
  {
    section: 'io',
    work: '4 KiB random read, same host',
    upstream: '1,600-2,300/s (1 thread), 4,700-6,600/s (16)',
    cells: { 'pread 4k shm@1': { value: '>= 40x' }, 'pread 4k shm@16': { value: '>= 40x' } },
  },
  {
    section: 'io',
    work: "read from another host's worker (forced remote, loopback)",
    upstream: '1.6-1.7 GB/s, 0.8-0.9 CPU s/GB',
    cells: { 'remote read shm@1': { value: '>= 1.5x', cpu: '<= 1x' } },
  },
  {
    section: 'io',
    work: 'write MUST_CACHE, /dev/shm (ours with checksums)',
    upstream: '1.6-1.9 GB/s, 0.56-0.75 CPU s/GB',
    cells: { 'write MUST_CACHE shm@1': { value: '>= 0.9x' } },
  },
  {
    section: 'io',
    work: 'write MUST_CACHE, huge pages (ours with checksums)',
    upstream: '1.65 GB/s, 0.8',
    cells: { 'write MUST_CACHE huge@1': { value: '>= 2x' } },
  },
  {
    section: 'io',
    work: 'write CACHE_THROUGH to a local folder',
    upstream: '0.48-0.65 GB/s, 2.6-3.7 CPU s/GB',
    cells: { 'write CACHE_THROUGH shm@1': { value: '>= 2x' } },
  },
  {
    section: 'small',
    work: 'write, and open+read+close, of 4 KiB files, 16 in flight',
    upstream: '960/s, 2.0 ms; 2,800/s, 685 us',
    cells: {
      'write 4k files@16': { value: '>= 5x', cpu: FIFTH },
      'read 4k files@16': { value: '>= 5x', cpu: FIFTH },
    },
  },
  {
    section: 'cli',
    work: '`fs ls /`, whole process',
    upstream: '1.6 s CPU, 1.2 s wall',
    cells: { 'fs ls': { value: '<= 0.5x', cpu: '<= 0.1x' } },
  },
  {
    section: 'cli',
    work: '`fs cat` and `copyFromLocal` of 1 GiB',
    upstream: '2.3 s, 2.8 s wall',
    cells: { 'fs cat 1GiB': { value: '<= 0.5x' }, 'fs copyFromLocal 1GiB': { value: '<= 0.5x' } },
  },
  {
    section: 'inodes',
    work: 'master memory and disk an inode',
    upstream: '1,119 bytes of heap',
    cells: { 'heap bytes an inode': { value: '<= 16' }, 'disk bytes an inode': { value: '<= 250' } },
  },
  {
    section: 'inodes',
    work: 'stat, create and list at the largest namespace, of those at 10,000 inodes',
    upstream: 'not measured',
    cells: {
      'stat@64 full': { value: '>= 0.7 stat@64 10000' },
      'create@64 full': { value: '>= 0.7 create@64 10000' },
      'list 1000@1 full': { value: '>= 0.7 list 1000@1 10000' },
    },
  },
  {
    section: 'inodes',
    work: 'master restart with 1 million files until it serves',
    upstream: 'measured here',
    cells: { 'restart 1M files': { value: '<= 2' } },
  },
  {
    section: 's3',
    work: 'S3 calls for 992 objects: cold after ls, warm, warm with validation; ls with validation of 1,000',
    upstream: '992, 0, 992',
    cells: {
      'calls cold': { value: '<= 1x' },
      'calls warm': { value: '<= 1x' },
      'calls warm validated': { value: '<= 1x' },
      'calls ls validated': { value: '<= 1' },
    },
  },
  {
    section: 's3',
    work: '1,000 x 4 KiB from S3 with 20 ms added, 16 in flight; warm',
    upstream: '81-107/s; 190-318/s (latency allows 800/s)',
    cells: { 'cold 4k@16': { value: '>= 600' }, 'warm 4k@16': { value: '>= 10000' } },
  },
  {
    section: 's3',
    work: '1,000 random reads of 64 KiB over a cold 1 GiB object: bytes fetched, of the 1 MiB extents touched',
    upstream: 'measured here',
    cells: { 'random 64k fetched': { value: '<= 1.1' } },
  },
  {
    section: 's3',
    work: 'cold read of 1 GiB from MinIO with 20 ms added; warm',
    upstream: 'measured here',
    cells: { 'cold 1GiB': { value: '>= 0.8 raw SDK 1GiB' }, 'warm 1GiB': { value: '>= 10 cold 1GiB' } },
  },
  {
    section: 'gateways',
    work: 'S3 gateway, GET of 4 KiB, 16 connections, warm',
    upstream: '1,200/s at 1.6 ms of server CPU',
    cells: { 'GET 4 KiB@16': { value: '>= 10000', cpu: '<= 0.00012' } },
  },
  {
    section: 'gateways',
    work: 'S3 gateway, 512 MiB GET, one stream; PUT; 1 MiB GETs, 4 connections; GET beside sendfile of nginx',
    upstream: '0.81, 0.26 GB/s; 0.51 GB/s at 3.2 ms CPU each',
    cells: {
      'GET 512 MiB': { value: '>= 2x' },
      'PUT 512 MiB': { value: '>= 4x' },
      'GET 1 MiB@4': { value: '>= 4x' },
    },
  },
  {
    section: 'gateways',
    work: 'WebHDFS beside HDFS: GETFILESTATUS, 64 connections; OPEN of 1 GiB',
    upstream: 'HDFS 6,900/s; 0.11 GB/s',
    cells: {
      'WebHDFS GETFILESTATUS@64': { value: '>= 3 HDFS WebHDFS GETFILESTATUS@64' },
      'WebHDFS OPEN 1 GiB': { value: '>= 4 HDFS WebHDFS OPEN 1 GiB' },
    },
  },
]
