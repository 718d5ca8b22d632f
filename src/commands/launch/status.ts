import { ERROR_CODES, formatUptime, systemRuntime } from '../../core/index.ts'
import { type DaemonStatus, daemonStatus } from '../../daemon/launch/index.ts'
import { AlluxioCommand } from '../command.ts'
import { columns } from '../format.ts'
import { daemonsOf, TARGET } from './words.ts'

const WORDS: Readonly<Record<DaemonStatus['state'], string>> = {
  absent: 'not running',
  crashed: 'crashed',
  silent: 'not answering',
  starting: 'starting',
  serving: 'serving',
  draining: 'stopping',
  stopped: 'stopping',
  failed: 'failed',
}

export class Status extends AlluxioCommand {
  static override summary = 'Show which daemons of this machine run; exit status 0 when all of them serve.'
  static override usage = 'status [master|worker|proxy|local]'
  static override shape = 'list' as const
  static override args = TARGET

  override async run(): Promise<void> {
    const { args } = await this.parse(Status)
    const statuses: DaemonStatus[] = []
    for (const name of daemonsOf(args.daemon)) statuses.push(await daemonStatus(this.configuration, name))
    if (this.output.json === 'off') this.#table(statuses)
    else
      for (const status of statuses)
        this.output.emit(
          () => json(status),
          () => undefined,
        )
    if (statuses.some(({ state }) => state !== 'serving')) process.exitCode = ERROR_CODES.UNAVAILABLE.exit
  }

  #table(statuses: readonly DaemonStatus[]): void {
    const rows = statuses.map(({ name, state, pid, startedMs, rpc, web, logFile }) => [
      name,
      WORDS[state],
      pid === undefined ? '-' : String(pid),
      startedMs === undefined ? '-' : formatUptime(systemRuntime.now() - startedMs),
      `${rpc.host}:${rpc.port}`,
      `http://${web.host}:${web.port}`,
      logFile,
    ])
    for (const line of columns([['Daemon', 'State', 'Pid', 'Uptime', 'RPC', 'Web', 'Log'], ...rows]))
      this.output.line(line)
  }
}

function json({
  name,
  state,
  pid,
  startedMs,
  rpc,
  web,
  logFile,
  pidFile,
}: DaemonStatus): Record<string, unknown> {
  return { daemon: name, state, pid, startedMs, rpcPort: rpc.port, webPort: web.port, logFile, pidFile }
}
