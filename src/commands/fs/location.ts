import { AlluxioCommand, PATHS } from '../command.ts'

export class Location extends AlluxioCommand {
  static override summary = 'Show which hosts hold the blocks of files.'
  static override usage = 'fs location <path> ...'
  static override shape = 'list' as const
  static override args = PATHS

  override async run(): Promise<void> {
    const { args } = await this.parse(Location)
    await this.forEachPath(args.path, async (fs, path) => {
      const { fileId } = await fs.getStatus(path)
      const blocks = await fs.blockPlaces(path)
      const hosts = [...new Set(blocks.flatMap(({ locations }) => locations.map(({ host }) => host)))].sort()
      this.output.emit(
        () => ({ path, fileId, hosts, blocks }),
        () => [`${path} with file id ${fileId} is on nodes: `, ...hosts].join('\n'),
      )
    })
  }
}
