/** What of Hadoop's contract suite fails, each with its reason. A test that is listed and passes is told as well. */
export interface ExpectedFailure {
  readonly test: string
  readonly why: string
}

/** Real HDFS through the same client fails these too (it fails 15 of 311). */
const OF_THE_WEBHDFS_CLIENT: readonly ExpectedFailure[] = [
  {
    test: 'Seek.testSeekReadClosedFile',
    why: 'the client lets a closed stream seek; HDFS through it fails, too',
  },
  {
    test: 'Seek.testSeekPastEndOfFileThenReseekAndRead',
    why: 'the client finds out about the end only when it reads; HDFS through it fails, too',
  },
  {
    test: 'Seek.testNegativeSeek',
    why: 'the client refuses with IllegalArgumentException; HDFS through it fails, too',
  },
]

const OF_IMMUTABLE_FILES: readonly ExpectedFailure[] = [
  {
    test: 'Append.testRenameFileBeingAppended',
    why: 'an append copies the file and puts the copy in its place at the end: if that place is another file by then, or none, the append fails and nothing changes. HDFS follows the renamed file',
  },
]

export const EXPECTED_FAILURES = {
  webhdfs: [...OF_THE_WEBHDFS_CLIENT, ...OF_IMMUTABLE_FILES],
  alluxio: [...OF_IMMUTABLE_FILES],
} as const satisfies Record<string, readonly ExpectedFailure[]>
