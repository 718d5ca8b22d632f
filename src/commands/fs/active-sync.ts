import { AlluxioCommand, EXACT_PATH, PATHS } from '../command.ts'

export class NeedsSync extends AlluxioCommand {
  static override summary =
    'Have the path, and what is below it, compared with the under-store when somebody next asks for it.'
  static override usage = 'fs needsSync <path>'
  static override shape = 'list' as const
  static override args = PATHS

  override async run(): Promise<void> {
    const { args } = await this.parse(NeedsSync)
    await this.forEachPath(args.path, async (fs, path) => {
      await fs.syncs.want(path)
      this.output.emit(
        () => ({ path, needsSync: true }),
        () => undefined,
      )
    })
  }
}

export class StartSync extends AlluxioCommand {
  static override summary = 'Keep a path in step with its under-store from now on.'
  static override description =
    'Where the store tells what has changed, that is compared; else everything is, as often as changes are found. The list of such paths outlives the master.'
  static override usage = 'fs startSync <path>'
  static override args = EXACT_PATH

  override async run(): Promise<void> {
    const { args } = await this.parse(StartSync)
    await this.withFileSystem(async (fs) => {
      const started = await fs.syncs.start(args.path)
      this.output.emit(
        () => ({ path: args.path, started }),
        () =>
          started
            ? `Started automatic syncing of '${args.path}'.`
            : `'${args.path}' is synced automatically already.`,
      )
    })
  }
}

export class StopSync extends AlluxioCommand {
  static override summary = 'End the automatic syncing of a path.'
  static override usage = 'fs stopSync <path>'
  static override args = EXACT_PATH

  override async run(): Promise<void> {
    const { args } = await this.parse(StopSync)
    await this.withFileSystem(async (fs) => {
      const stopped = await fs.syncs.stop(args.path)
      this.output.emit(
        () => ({ path: args.path, stopped }),
        () =>
          stopped
            ? `Stopped automatic syncing of '${args.path}'.`
            : `'${args.path}' was not synced automatically.`,
      )
    })
  }
}

export class GetSyncPathList extends AlluxioCommand {
  static override summary = 'Show the paths that are synced automatically.'
  static override usage = 'fs getSyncPathList'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(GetSyncPathList)
    await this.withFileSystem(async (fs) => {
      const paths = await fs.syncs.paths()
      this.output.line('The following paths are under active sync')
      for (const one of paths) {
        const { path, intervalMs, syncs, changes, error } = one
        const fares = error === undefined ? '' : `, failed: ${error}`
        this.output.emit(
          () => one,
          () =>
            `${path} (every ${Math.round(intervalMs / 1000)} s, ${syncs} syncs, ${changes} changes${fares})`,
        )
      }
    })
  }
}
