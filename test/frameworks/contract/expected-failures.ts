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
    why: 'an append copies the file and puts the copy in its place, which follows a renamed file by its id; the file of this test is empty, and empty files have no place in the index of ids. HDFS follows it',
  },
]

const NO_VECTORED_READS =
  "neither HDFS' streams nor ours of the jar have vectored reads of their own: they have Hadoop's default, of which 3.3 wants what 3.4 does not"

export const OF_HADOOP_3_3: readonly ExpectedFailure[] = ['direct', 'array'].flatMap((kind) =>
  ['testVectoredReadCapability', 'testNegativeOffsetRange'].map((name) => ({
    test: `VectoredRead.${name}[Buffer type : ${kind}]`,
    why: NO_VECTORED_READS,
  })),
)

export const EXPECTED_FAILURES = {
  webhdfs: [...OF_THE_WEBHDFS_CLIENT, ...OF_IMMUTABLE_FILES],
  alluxio: [...OF_IMMUTABLE_FILES],
} as const satisfies Record<string, readonly ExpectedFailure[]>
