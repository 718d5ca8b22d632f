import type { FileSystem } from '../../client/index.ts'
import { AlluxioError, isAlluxioError, joinPath } from '../../core/index.ts'
import { READ_TYPES, type ReadType, WRITE_TYPES, type WriteType } from '../../core/options/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'

const OPERATIONS = ['BASIC', 'BASIC_NON_BYTE_BUFFER'] as const
type Operation = (typeof OPERATIONS)[number]
const FOLDER = 'default_tests_files'
/** Numbers of four bytes in the test file, as upstream writes. */
const NUMBERS = 20

export class RunTests extends AlluxioCommand {
  static override summary = 'Write and read a file with every write type and read type.'
  static override usage =
    'runTests [--directory <path>] [--operation <operation>] [--readType <type>] [--writeType <type>]'
  static override shape = 'list' as const
  static override flags = {
    directory: Flags.string({ default: '/', summary: 'where default_tests_files is made' }),
    operation: Flags.string({ options: [...OPERATIONS], summary: 'only this way of access' }),
    readType: Flags.string({ options: [...READ_TYPES], summary: 'only this read type' }),
    writeType: Flags.string({ options: [...WRITE_TYPES], summary: 'only this write type' }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(RunTests)
    const failed: string[] = []
    await this.withFileSystem(async (fs) => {
      for (const readType of READ_TYPES) {
        for (const writeType of WRITE_TYPES) {
          for (const operation of OPERATIONS) {
            if ((flags.operation ?? operation) !== operation) continue
            if ((flags.readType ?? readType) !== readType || (flags.writeType ?? writeType) !== writeType)
              continue
            const name = `runTest --operation ${operation} --readType ${readType} --writeType ${writeType}`
            if (!(await this.#one(fs, flags.directory, { operation, readType, writeType }, name)))
              failed.push(name)
          }
        }
      }
    })
    this.output.line(`Number of failed tests: ${failed.length}`)
    if (failed.length > 0)
      throw new AlluxioError('INTERNAL', `${failed.length} tests failed:\n  ${failed.join('\n  ')}`)
  }

  async #one(
    fs: FileSystem,
    directory: string,
    test: { readonly operation: Operation; readonly readType: ReadType; readonly writeType: WriteType },
    name: string,
  ): Promise<boolean> {
    const { operation, readType, writeType } = test
    const path = joinPath(
      joinPath(directory.replace(/\/+$/, '') || '/', FOLDER),
      `${operation}_${readType}_${writeType}`,
    )
    let failure: string | undefined
    try {
      await writeAndRead(fs, path, test)
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error)
    }
    this.output.emit(
      () => ({ operation, readType, writeType, path, passed: failure === undefined, failure }),
      () => `${name}\n${failure === undefined ? 'Passed the test!' : `Failed the test! ${failure}`}`,
    )
    this.output.flush()
    return failure === undefined
  }
}

async function writeAndRead(
  fs: FileSystem,
  path: string,
  {
    operation,
    readType,
    writeType,
  }: { readonly operation: Operation; readonly readType: ReadType; readonly writeType: WriteType },
): Promise<void> {
  await fs.delete(path).catch((error: unknown) => {
    if (!isAlluxioError(error, 'NOT_FOUND')) throw error
  })
  const expected = Buffer.alloc(NUMBERS * 4)
  for (let i = 0; i < NUMBERS; i++) expected.writeInt32BE(i, i * 4)
  const writer = await fs.create(path, { writeType, recursive: true })
  // BASIC hands the file over at once; the other one a number at a time.
  if (operation === 'BASIC') await writer.write(expected)
  else for (let i = 0; i < NUMBERS; i++) await writer.write(expected.subarray(i * 4, i * 4 + 4))
  await writer.close()
  const status = await fs.getStatus(path)
  const through = writeType === 'THROUGH' || writeType === 'CACHE_THROUGH'
  if (through && !status.persisted)
    throw new AlluxioError(
      'DATA_LOSS',
      `${writeType} was acknowledged, but the file is ${status.persistenceState}`,
    )
  for (let round = 0; round < 2; round++) await readBack(fs, path, readType, operation, expected)
}

async function readBack(
  fs: FileSystem,
  path: string,
  readType: ReadType,
  operation: Operation,
  expected: Buffer,
): Promise<void> {
  const reader = await fs.open(path, { readType })
  try {
    const chunks: Uint8Array[] = []
    if (operation === 'BASIC') {
      const buffer = Buffer.alloc(expected.length)
      chunks.push(buffer.subarray(0, await reader.readInto(0, buffer)))
    } else for await (const chunk of reader.stream()) chunks.push(Uint8Array.from(chunk))
    if (!Buffer.concat(chunks).equals(expected))
      throw new AlluxioError('DATA_LOSS', `${path} read back differs from what was written`)
  } finally {
    await reader.close()
  }
}
