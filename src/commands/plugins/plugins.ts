import { AlluxioCommand, Args } from '../command.ts'
import type { Jar } from './jars.ts'

export class PluginsBuild extends AlluxioCommand {
  static override summary = 'Build the jars for Hadoop, Spark, Flink and YARN.'
  static override description =
    'With Maven and a JDK of version 11 or later (MAVEN_HOME and JAVA_HOME are honoured), and only what changed. Prints where the jars are.'
  static override usage = 'plugins build [<name>...]'
  static override examples = ['alluxio plugins build', 'alluxio plugins build hadoop']
  static override shape = 'list' as const
  static override args = {
    name: Args.string({ description: 'plugin; without one all of them', multiple: true, ignoreStdin: true }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(PluginsBuild)
    const names = args.name ?? []
    const all = await jars(this)
    const built = await all.build(names, this.invocation.signal)
    for (const jar of all.list()) {
      if (names.length > 0 && !names.includes(jar.name)) continue
      this.output.emit(
        () => ({ ...jar, rebuilt: built.includes(jar.name) }),
        () => jar.path,
      )
    }
  }
}

export class PluginsLs extends AlluxioCommand {
  static override summary = 'List the jars for Hadoop, Spark, Flink and YARN, and whether they are built.'
  static override usage = 'plugins ls'
  static override shape = 'list' as const

  override async run(): Promise<void> {
    await this.parse(PluginsLs)
    for (const jar of (await jars(this)).list())
      this.output.emit(
        () => jar,
        () => lineOf(jar),
      )
  }
}

async function jars({ invocation }: AlluxioCommand) {
  const { Jars } = await import('./jars.ts')
  const { systemRuntime } = await import('../../core/index.ts')
  const { environment } = await import('../../core/config/index.ts')
  return new Jars(invocation.home, {
    runtime: systemRuntime,
    environment: environment(),
    talk: invocation.talk,
  })
}

function lineOf({ name, path, state }: Jar): string {
  return `${name}  ${path}  ${state}`
}
