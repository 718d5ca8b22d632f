import { AlluxioError, silentLog, systemRuntime } from '../../core/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { usageError } from '../failure.ts'

export class RunUfsTests extends AlluxioCommand {
  static override summary = 'Judge an under-store by the contract suite: all that Alluxio asks of a store.'
  static override description =
    'Runs against a folder of its own below the path and removes it. Cases that need what the store does not declare are skipped.'
  static override usage = 'runUfsTests --path <ufsURI> [--option <key=val>] [--test <name>]'
  static override examples = [
    'alluxio runUfsTests --path file:///tmp/store',
    'alluxio runUfsTests --path s3://bucket/folder',
  ]
  static override shape = 'list' as const
  static override flags = {
    path: Flags.string({ required: true, helpValue: '<ufsURI>', summary: 'where to run' }),
    option: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<key=val>',
      summary: 'an option of the store',
    }),
    test: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<name>',
      summary: 'only this case',
    }),
  }

  override async run(): Promise<void> {
    const { flags } = await this.parse(RunUfsTests)
    const { mountOptions, openStore, runUfsTests, StorePlugIns, ufsTestNames } = await import(
      '../../ufs/index.ts'
    )
    const options: Record<string, string> = {}
    for (const pair of flags.option ?? []) {
      const equals = pair.indexOf('=')
      if (equals <= 0) throw usageError(`--option ${pair} is not key=value`)
      options[pair.slice(0, equals)] = pair.slice(equals + 1)
    }
    const unknown = (flags.test ?? []).filter((name) => !ufsTestNames().includes(name))
    if (unknown.length > 0)
      throw usageError(`there is no test ${unknown.join(', ')}`, [`Tests: ${ufsTestNames().join(' ')}`])
    const store = await openStore(flags.path, mountOptions(this.configuration, options), {
      runtime: systemRuntime,
      log: silentLog,
      plugIns: StorePlugIns.of(this.configuration),
    })
    const counts = { passed: 0, failed: 0, skipped: 0 }
    try {
      await runUfsTests(store, {
        ...(flags.test === undefined ? {} : { only: flags.test }),
        onResult: ({ name, outcome, seconds, reason, error }) => {
          counts[outcome]++
          this.output.emit(
            () => ({
              name,
              outcome,
              seconds,
              ...(reason === undefined ? {} : { reason }),
              ...(error === undefined ? {} : { error: error.toJSON() }),
            }),
            () =>
              `${outcome.padEnd(8)} ${name} (${seconds.toFixed(2)} s)${reason === undefined ? '' : `: ${reason}`}${error === undefined ? '' : `: ${error.message}`}`,
          )
          this.output.flush()
        },
      })
    } finally {
      await store.close()
    }
    const { passed, failed, skipped } = counts
    this.output.line(`${passed} passed, ${failed} failed, ${skipped} skipped`)
    if (failed > 0) {
      throw new AlluxioError(
        'UNSUPPORTED',
        `${failed} of ${passed + failed} tests failed on ${flags.path}: it does not keep the contract of a store`,
      )
    }
  }
}
