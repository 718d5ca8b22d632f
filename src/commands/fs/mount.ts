import { canonicalPath } from '../../core/index.ts'
import { AlluxioCommand, Args, EXACT_PATH, Flags } from '../command.ts'
import { usageError } from '../failure.ts'
import { printUfs } from '../fsadmin/ufs.ts'
import { parsePairs } from '../pairs.ts'

const OPTIONS = {
  readonly: Flags.boolean({ summary: 'refuse writes below it' }),
  shared: Flags.boolean({ summary: 'everyone may write (mode 0777)' }),
  option: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<key=val>',
    summary: 'an option of the store; alluxio.user.file.consistency says how old what is shown may be',
  }),
  force: Flags.boolean({ summary: 'although the store does not answer' }),
}

export class Mount extends AlluxioCommand {
  static override summary = 'Mount an under-store at a path; without arguments list the mounts.'
  static override description =
    'Options are handed to the store. Secrets are references, never values: env:NAME or file:PATH, resolved by the daemons.'
  static override usage =
    'fs mount [--readonly] [--shared] [--force] [--option <key=val>] [<alluxioPath> <ufsURI>]'
  static override examples = [
    'alluxio fs mount',
    'alluxio fs mount --readonly /data file:///srv/data',
    'alluxio fs mount --option alluxio.underfs.s3.endpoint=http://127.0.0.1:9000 --option s3a.accessKeyId=env:AWS_ACCESS_KEY_ID --option s3a.secretKey=env:AWS_SECRET_ACCESS_KEY /lake s3://bucket/folder',
  ]
  static override shape = 'list' as const
  static override args = {
    alluxioPath: Args.string({
      description: 'where in the namespace; must not exist yet',
      ignoreStdin: true,
    }),
    ufsURI: Args.string({ description: 'what: s3://bucket/folder, file:///folder', ignoreStdin: true }),
  }
  static override flags = OPTIONS

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Mount)
    const { alluxioPath, ufsURI } = args
    if (alluxioPath === undefined) {
      await this.withFileSystem((fs) => printUfs(this.output, fs))
      return
    }
    if (ufsURI === undefined) {
      throw usageError('Command mount takes 0 or 2 arguments, not 1', [`Usage: alluxio ${Mount.usage}`])
    }
    const path = canonicalPath(alluxioPath)
    const options = parsePairs('--option', flags.option ?? [])
    await this.withFileSystem(async (fs) => {
      const { readonly: readOnly, shared, force } = flags
      await fs.mount(path, ufsURI, { readOnly, shared, force, options })
      this.output.emit(
        () => ({ path, uri: ufsURI, mounted: true }),
        () => `Mounted ${ufsURI} at ${path}`,
      )
    })
  }
}

export class UpdateMount extends AlluxioCommand {
  static override summary = 'Replace the options of a mount; what is known of its files stays.'
  static override description =
    'Nothing is inherited: what is not said is as if it had never been said, also --readonly and --shared.'
  static override usage =
    'fs updateMount [--readonly] [--shared] [--force] [--option <key=val>] <alluxioPath>'
  static override args = EXACT_PATH
  static override flags = OPTIONS

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(UpdateMount)
    const path = canonicalPath(args.path)
    const options = parsePairs('--option', flags.option ?? [])
    const { readonly: readOnly, shared, force } = flags
    await this.withFileSystem(async (fs) => {
      await fs.updateMount(path, { readOnly, shared, force, options })
      this.output.emit(
        () => ({ path, readOnly, shared, updated: true }),
        () => `Updated mount point options at ${path}`,
      )
    })
  }
}

export class Unmount extends AlluxioCommand {
  static override summary = 'Take a mount out of the namespace; its store keeps its data.'
  static override usage = 'fs unmount <alluxioPath>'
  static override args = EXACT_PATH

  override async run(): Promise<void> {
    const { args } = await this.parse(Unmount)
    const path = canonicalPath(args.path)
    await this.withFileSystem(async (fs) => {
      await fs.unmount(path)
      this.output.emit(
        () => ({ path, unmounted: true }),
        () => `Unmounted ${path}`,
      )
    })
  }
}
