import { AlluxioCommand, Args, PATH } from '../command.ts'

export class Pin extends AlluxioCommand {
  static override summary = 'Keep a file or everything in a directory from being evicted.'
  static override usage = 'fs pin <path> media1 media2 media3 ...'
  static override shape = 'list' as const
  static override args = {
    ...PATH,
    media: Args.string({
      description: 'media to keep it on, such as MEM SSD',
      multiple: true,
      ignoreStdin: true,
    }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(Pin)
    const media = args.media ?? []
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { pinned: true, recursive: true, ...(media.length === 0 ? {} : { media }) })
      this.output.emit(
        () => ({ path, pinned: true, media }),
        () => `File '${path}' was successfully pinned.`,
      )
    })
  }
}

export class Unpin extends AlluxioCommand {
  static override summary = 'Let a pinned file or directory be evicted again.'
  static override usage = 'fs unpin <path>'
  static override shape = 'list' as const
  static override args = PATH

  override async run(): Promise<void> {
    const { args } = await this.parse(Unpin)
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { pinned: false, recursive: true })
      this.output.emit(
        () => ({ path, pinned: false }),
        () => `File '${path}' was successfully unpinned.`,
      )
    })
  }
}
