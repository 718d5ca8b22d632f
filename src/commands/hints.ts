import type { PathHint } from '../client/index.ts'
import { AlluxioError } from '../core/index.ts'
import { HINTS_ADAPTERS } from '../core/options/index.ts'
import type { EngineFacts } from '../scheduler/index.ts'
import { AlluxioCommand, Args, Flags } from './command.ts'

export class HintsCommand extends AlluxioCommand {
  static override summary = 'Show which hosts are best to read files on, and why.'
  static override description =
    'For schedulers and those who debug them: what each host holds on which tier, how busy it is and how sure that is. Of what nobody caches, the first host is the place where it should go.'
  static override usage =
    'hints <path> ... [--candidates a,b] [--for spark|spark-submit|flink|yarn|yarn-service|mesos|k8s|trino [--engine JSON]] [--explain]'
  static override shape = 'list' as const
  static override args = {
    path: Args.string({
      description: 'file, or directory with all that is below; wildcards as in fs',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    candidates: Flags.string({
      helpValue: '<host,...>',
      summary: 'hosts to choose from, by any of their names; default: those that hold something',
    }),
    for: Flags.string({
      helpValue: '<scheduler>',
      summary:
        'print it in the form of spark, spark-submit, flink, yarn, yarn-service, mesos, k8s, trino or an adapter of alluxio.hints.adapters',
    }),
    engine: Flags.string({
      helpValue: '<json>',
      dependsOn: ['for'],
      summary:
        'facts that the scheduler\'s form needs, such as {"nodes": 5}; docs/reference/hints.md has them',
    }),
    explain: Flags.boolean({ summary: 'tell why each host stands where it does, and each block' }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(HintsCommand)
    const { expandPaths } = await import('./wildcard.ts')
    const candidates = flags.candidates
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
    await this.withFileSystem(async (fs) => {
      const paths: string[] = []
      for (const pattern of args.path) paths.push(...(await expandPaths(fs, pattern)))
      const hints = await fs.hints.rank(paths, candidates === undefined ? {} : { candidates })
      if (flags.for === undefined) {
        for (const hint of hints)
          this.output.emit(
            () => hint,
            () => textOf(hint, flags.explain),
          )
      } else await this.#adapted(hints, flags.for, factsOf(flags.engine))
    })
  }

  async #adapted(hints: readonly PathHint[], name: string, facts: EngineFacts): Promise<void> {
    const { loadAdapters } = await import('../scheduler/index.ts')
    const adapter = (await loadAdapters(this.configuration.get(HINTS_ADAPTERS))).of(name)
    const adapted = adapter.adapt(hints, facts)
    const text = () => adapter.text?.(hints, facts) ?? JSON.stringify(adapted, undefined, 2)
    if (!Array.isArray(adapted)) this.output.emit(() => adapted, text)
    else if (this.output.json === 'off') this.output.emit(() => adapted, text)
    else for (const item of adapted) this.output.emit(() => item, text)
  }
}

function factsOf(text = '{}'): EngineFacts {
  try {
    const facts: unknown = JSON.parse(text)
    if (typeof facts === 'object' && facts !== null && !Array.isArray(facts)) return facts as EngineFacts
  } catch {
    // It is told below.
  }
  throw new AlluxioError('INVALID_ARGUMENT', `--engine is no JSON object: ${text}`)
}

function textOf({ path, length, cold, blocks, hosts }: PathHint, explain: boolean): string {
  const lines = [`${path}: ${length} bytes, ${cold ? 'nothing cached' : `${hosts.length} hosts`}`]
  for (const { host, score, bytes, load, confidence, reason } of hosts) {
    const tiers = Object.entries(bytes)
      .filter(([, held]) => held > 0)
      .map(([tier, held]) => `${tier} ${held}`)
    const facts = [`score ${score}`, ...tiers, `load ${load}`, `confidence ${confidence}`]
    lines.push(`  ${host}  ${facts.join('  ')}${explain ? `\n    ${reason}` : ''}`)
  }
  if (!explain) return lines.join('\n')
  for (const block of blocks) {
    const holders = block.hosts.map(({ host, tier, freshMs }) => `${host} ${tier} ${freshMs} ms ago`)
    lines.push(`  ${block.offset}+${block.length}: ${holders.length === 0 ? 'nowhere' : holders.join(', ')}`)
  }
  return lines.join('\n')
}
