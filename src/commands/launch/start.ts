import { existsSync } from 'node:fs'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, formatBytes, sleep, systemRuntime } from '../../core/index.ts'
import { DATA, MASTER_METASTORE_DIR, WORKER_RPC_PORT } from '../../core/options/index.ts'
import { type DaemonName, daemonFacts, format, loggedBy, startDaemon } from '../../daemon/launch/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { daemonsOf, launchModules, TARGET } from './words.ts'

const READY_MS = 60_000
const POLL_MS = 50

export class Start extends AlluxioCommand {
  static override summary = 'Start daemons in the background and wait until they serve.'
  static override description =
    'A data folder that is not formatted yet is formatted first. A daemon that runs already is left alone. Logs are in ${alluxio.data}/logs.'
  static override usage = 'start [master|worker|proxy|local]'
  static override shape = 'list' as const
  static override args = TARGET
  static override flags = {
    wait: Flags.integer({
      default: READY_MS / 1000,
      min: 1,
      helpValue: '<seconds>',
      summary: 'longest wait for each daemon',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Start)
    const daemons = daemonsOf(args.daemon)
    const { signal } = this.invocation
    await startDaemons(this.configuration, daemons, {
      properties: this.invocation.properties,
      deadlineMs: flags.wait * 1000,
      signal,
      report: (json, text) => {
        this.output.emit(
          () => json,
          () => text,
        )
        this.output.flush()
      },
    })
  }
}

interface StartDaemonsOptions {
  readonly properties: readonly string[]
  readonly deadlineMs: number
  readonly signal: AbortSignal
  readonly report: (json: Record<string, unknown>, text: string) => void
}

/** Formats if need be, starts the daemons in order, and returns when the workers among them are known to the master. */
export async function startDaemons(
  config: Config,
  daemons: readonly DaemonName[],
  options: StartDaemonsOptions,
): Promise<void> {
  const { report, deadlineMs, signal } = options
  if (daemons.includes('master') && !existsSync(config.get(MASTER_METASTORE_DIR))) {
    format(config)
    report({ formatted: config.get(DATA) }, `Formatted ${config.get(DATA)}`)
  }
  for (const name of daemons) {
    const { rpc, web, logFile } = daemonFacts(config, name)
    const { pid, started } = await startDaemon(config, { name, deadlineMs, signal }, launchModules())
    const memory = started && name === 'worker' ? memoryRemarks(logFile, pid) : []
    const space = name === 'worker' ? await registered(config, options) : ''
    const facts = { daemon: name, pid, started, rpcPort: rpc.port, webPort: web.port, logFile }
    const state = started ? 'serves' : 'was already running'
    const where = `pid ${pid}, port ${rpc.port}, http://${web.host}:${web.port}${space}`
    report({ ...facts, remarks: memory }, [`The ${name} ${state}: ${where}`, ...memory].join('\n'))
  }
}

/** What stands between the memory tier and huge pages, with the line for /etc/fstab, unless the operator wants it so. */
function memoryRemarks(logFile: string, pid: number): string[] {
  return loggedBy(logFile, pid, 'ramdisk')
    .filter(({ hugePages, remark }) => hugePages !== true && !String(remark).includes('NoMount'))
    .map(({ remark }) => String(remark))
}

/** Waits until the master knows the worker; its capacity in words. */
async function registered(
  config: Config,
  { properties, deadlineMs, signal }: StartDaemonsOptions,
): Promise<string> {
  const { connect } = await import('../cluster.ts')
  const fs = await connect(properties)
  try {
    const port = config.get(WORKER_RPC_PORT)
    const end = systemRuntime.monotonic() + deadlineMs
    for (;;) {
      const known = (await fs.admin.workers()).find(
        ({ address, state }) => address.rpcPort === port && state === 'LIVE',
      )
      if (known !== undefined) {
        return `, ${known.tiers.map(({ alias, capacityBytes }) => `${alias} ${formatBytes(capacityBytes)}`).join(', ')}`
      }
      if (systemRuntime.monotonic() > end) {
        throw new AlluxioError(
          'UNAVAILABLE',
          `the worker serves, but the master has not heard of it within ${deadlineMs / 1000} s`,
          {
            details: { suggestions: [`Its log: ${daemonFacts(config, 'worker').logFile}`] },
          },
        )
      }
      await sleep(systemRuntime, POLL_MS, signal)
    }
  } finally {
    await fs.close()
  }
}
