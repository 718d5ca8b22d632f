import type { FileStatus, FileSystem } from '../../client/index.ts'
import { isAlluxioError } from '../../core/index.ts'
import { AlluxioCommand, EXACT_PATH, Flags } from '../command.ts'
import { usageError } from '../failure.ts'

export class Test extends AlluxioCommand {
  static override summary = 'Test a property of a path: exit status 0 if it is true, 1 if not.'
  static override usage = 'fs test [-d|-f|-e|-s|-z] <path>'
  static override args = EXACT_PATH
  static override flags = {
    directory: Flags.boolean({ char: 'd', summary: 'the path is a directory' }),
    file: Flags.boolean({ char: 'f', summary: 'the path is a file' }),
    exists: Flags.boolean({ char: 'e', summary: 'the path exists' }),
    'not-empty': Flags.boolean({ char: 's', summary: 'the file has bytes, or the directory children' }),
    zero: Flags.boolean({ char: 'z', summary: 'the file has no bytes' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Test)
    const asked = (['directory', 'file', 'exists', 'not-empty', 'zero'] as const).filter(
      (name) => flags[name],
    )
    const [property] = asked
    if (property === undefined || asked.length > 1) {
      throw usageError('test takes exactly one of -d, -f, -e, -s, -z', [`Usage: alluxio ${Test.usage}`])
    }
    await this.withFileSystem(async (fs) => {
      const result = await holds(fs, args.path, property)
      if (this.output.json !== 'off')
        this.output.emit(
          () => ({ path: args.path, property, result }),
          () => undefined,
        )
      if (!result) process.exitCode = 1
    })
  }
}

async function holds(fs: FileSystem, path: string, property: string): Promise<boolean> {
  let status: FileStatus
  try {
    status = await fs.getStatus(path)
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return false
    throw error
  }
  if (property === 'directory') return status.folder
  if (property === 'file') return !status.folder
  if (property === 'zero') return !status.folder && status.length === 0
  if (property === 'exists') return true
  if (!status.folder) return status.length > 0
  for await (const _child of fs.list(path, { pageSize: 1 })) return true
  return false
}
