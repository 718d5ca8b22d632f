import type { Extension } from '../../ufs/index.ts'
import { AlluxioCommand, Args, Flags } from '../command.ts'

const HERE =
  'Extensions are of this host: install them on every host of the cluster, or let alluxio.extensions.dir be a folder that all share.'

export class ExtensionsInstall extends AlluxioCommand {
  static override summary = 'Install a store of a third party: a package of npm, a folder or a tarball.'
  static override description =
    `Its scripts are not run. It is loaded in a thread of its own before it is let in. Daemons that run find it when its scheme is first used. ${HERE}`
  static override usage = 'extensions install [--registry <url>] [--force] <package>'
  static override examples = [
    'alluxio extensions install alluxio-ufs-sftp',
    'alluxio extensions install ./alluxio-ufs-sftp-1.0.0.tgz',
  ]
  static override args = {
    package: Args.string({
      description: 'name, name@version, folder or tarball',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    registry: Flags.string({
      helpValue: '<url>',
      summary: 'registry to ask instead of the one npm is set to',
    }),
    force: Flags.boolean({ summary: 'let it take over schemes that Alluxio itself serves' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(ExtensionsInstall)
    const { force, registry } = flags
    const installed = await (await extensions(this)).install(args.package, {
      force,
      signal: this.invocation.signal,
      ...(registry === undefined ? {} : { registry }),
    })
    this.output.emit(
      () => ({ ...installed, installed: true }),
      () => `Installed ${installed.name} ${installed.version}, which serves ${schemesOf(installed)}`,
    )
  }
}

export class ExtensionsLs extends AlluxioCommand {
  static override summary = 'List the installed stores of third parties, and whether they load.'
  static override description = HERE
  static override usage = 'extensions ls'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(ExtensionsLs)
    for await (const { error, ...extension } of (await extensions(this)).list()) {
      const { name, version, path } = extension
      this.output.emit(
        () => ({
          ...extension,
          state: error === undefined ? 'loads' : 'fails',
          ...(error === undefined ? {} : { error: error.toJSON() }),
        }),
        () =>
          `${name} ${version}  ${schemesOf(extension)}  ${path}  ${error === undefined ? 'loads' : `fails: ${error.message}`}`,
      )
    }
  }
}

export class ExtensionsUninstall extends AlluxioCommand {
  static override summary = 'Remove an installed store of a third party.'
  static override description = `Mounts of it that daemons have open go on until they are restarted. ${HERE}`
  static override usage = 'extensions uninstall <name>'
  static override args = {
    name: Args.string({ description: 'name of the package', required: true, ignoreStdin: true }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(ExtensionsUninstall)
    await (await extensions(this)).uninstall(args.name)
    this.output.emit(
      () => ({ name: args.name, uninstalled: true }),
      () => `Uninstalled ${args.name}`,
    )
  }
}

async function extensions({ configuration }: AlluxioCommand) {
  const { builtInSchemes, Extensions } = await import('../../ufs/index.ts')
  const { silentLog, systemRuntime } = await import('../../core/index.ts')
  return new Extensions(configuration, { runtime: systemRuntime, log: silentLog, builtIn: builtInSchemes() })
}

function schemesOf({ schemes }: Extension): string {
  return schemes.map((scheme) => `${scheme}://`).join(' ') || '-'
}
