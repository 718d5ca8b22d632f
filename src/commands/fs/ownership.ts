import { AlluxioCommand, Args, Flags, PATH } from '../command.ts'
import { usageError } from '../failure.ts'

const RECURSIVE = { recursive: Flags.boolean({ char: 'R', summary: 'also everything below' }) }

export class Chmod extends AlluxioCommand {
  static override summary = 'Change the permission bits of a path.'
  static override usage = 'fs chmod [-R/--recursive] <mode> <path>'
  static override shape = 'list' as const
  static override args = {
    mode: Args.string({ description: 'three or four octal digits', required: true, ignoreStdin: true }),
    ...PATH,
  }
  static override flags = RECURSIVE

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Chmod)
    if (!/^[01]?[0-7]{3}$/.test(args.mode)) {
      throw usageError(`"${args.mode}" is not a mode`, ['Write three octal digits, for example 755'])
    }
    const mode = Number.parseInt(args.mode, 8)
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { mode, recursive: flags.recursive })
      this.output.emit(
        () => ({ path, mode: mode.toString(8) }),
        () => `Changed permission of ${path} to ${mode.toString(8)}`,
      )
    })
  }
}

export class Chown extends AlluxioCommand {
  static override summary = 'Change the owner, and with :group the group, of a path.'
  static override usage = 'fs chown [-R/--recursive] <owner>[:<group>] <path>'
  static override shape = 'list' as const
  static override args = {
    owner: Args.string({ description: 'user, or user:group', required: true, ignoreStdin: true }),
    ...PATH,
  }
  static override flags = RECURSIVE

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Chown)
    const match = /^([\w][\w\-.]*\$?)(?::([\w][\w\-.]*\$?))?$/.exec(args.owner)
    const owner = match?.[1]
    if (match === null || owner === undefined) {
      throw usageError(`Failed to parse ${args.owner} as user or user:group`)
    }
    const group = match[2]
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, {
        owner,
        recursive: flags.recursive,
        ...(group === undefined ? {} : { group }),
      })
      this.output.emit(
        () => ({ path, owner, ...(group === undefined ? {} : { group }) }),
        () =>
          group === undefined
            ? `Changed owner of ${path} to ${owner}`
            : `Changed owner:group of ${path} to ${owner}:${group}.`,
      )
    })
  }
}

export class Chgrp extends AlluxioCommand {
  static override summary = 'Change the group of a path.'
  static override usage = 'fs chgrp [-R/--recursive] <group> <path>'
  static override shape = 'list' as const
  static override args = {
    group: Args.string({ description: 'name of the group', required: true, ignoreStdin: true }),
    ...PATH,
  }
  static override flags = RECURSIVE

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Chgrp)
    const { group } = args
    await this.forEachPath([args.path], async (fs, path) => {
      await fs.setAttribute(path, { group, recursive: flags.recursive })
      this.output.emit(
        () => ({ path, group }),
        () => `Changed group of ${path} to ${group}`,
      )
    })
  }
}
