import { writeSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { Config } from '../../core/config/index.ts'
import { JsonLog, type Log, systemRuntime } from '../../core/index.ts'
import { LOG_LEVEL, SECURITY_TRANSPORT } from '../../core/options/index.ts'
import { claimPidFile, type DaemonName, daemonFacts } from '../../daemon/launch/index.ts'
import { ZeroMqTransport } from '../../rpc/index.ts'
import { AlluxioCommand } from '../command.ts'

interface Daemon {
  readonly ended: Promise<void>
  stop(): Promise<void>
}

type Start = (config: Config, log: Log) => Promise<Daemon>

abstract class DaemonCommand extends AlluxioCommand {
  protected async serve(name: DaemonName, start: Start): Promise<void> {
    const config = this.configuration
    const log = new JsonLog(
      { level: config.get(LOG_LEVEL), fields: { daemon: name, pid: process.pid } },
      { sink: (line) => writeSync(2, line), runtime: systemRuntime },
    )
    const { pidFile, rpc, web } = daemonFacts(config, name)
    const ports = { rpcPort: rpc.port, webPort: web.port }
    const release = claimPidFile(pidFile, { startedMs: systemRuntime.now(), ...ports })
    try {
      const daemon = await start(config, log)
      const stop = (signal: string): void => {
        log.info('signal', { signal })
        void daemon.stop()
      }
      process.once('SIGTERM', stop)
      process.once('SIGINT', stop)
      await daemon.ended
    } finally {
      release()
    }
  }

  /** A broken promise of durability or a broken invariant: nothing may be cleaned up, nothing more written. */
  protected static onFatal(log: Log): (error: unknown) => void {
    return (error) => {
      log.error('fatal: the daemon ends at once', { error })
      process.abort()
    }
  }
}

export class DaemonMaster extends DaemonCommand {
  static override summary = 'Run a master in the foreground; its log goes to standard error.'
  static override usage = 'daemon master'

  override async run(): Promise<void> {
    await this.parse(DaemonMaster)
    const { startMaster } = await import('../../daemon/master/index.ts')
    await this.serve('master', (config, log) =>
      startMaster(config, {
        runtime: systemRuntime,
        transport: transport(config),
        log,
        onFatal: DaemonCommand.onFatal(log),
        superuser: { user: userInfo().username, group: groupName() },
      }),
    )
  }
}

export class DaemonWorker extends DaemonCommand {
  static override summary = 'Run a worker in the foreground; its log goes to standard error.'
  static override usage = 'daemon worker'

  override async run(): Promise<void> {
    await this.parse(DaemonWorker)
    const { startWorker } = await import('../../daemon/worker/index.ts')
    await this.serve('worker', (config, log) =>
      startWorker(config, {
        runtime: systemRuntime,
        transport: transport(config),
        log,
        onFatal: DaemonCommand.onFatal(log),
      }),
    )
  }
}

export class DaemonProxy extends DaemonCommand {
  static override summary =
    'Run the S3 and WebHDFS gateways in the foreground; the log goes to standard error.'
  static override usage = 'daemon proxy'

  override async run(): Promise<void> {
    await this.parse(DaemonProxy)
    const { startProxy } = await import('../../daemon/proxy/index.ts')
    await this.serve('proxy', (config, log) =>
      startProxy(config, { runtime: systemRuntime, transport: transport(config), log }),
    )
  }
}

function transport(config: Config): ZeroMqTransport {
  return new ZeroMqTransport({ security: config.get(SECURITY_TRANSPORT) }, { runtime: systemRuntime })
}

/** The group of a new root directory: as upstream, named after its owner. */
function groupName(): string {
  return userInfo().username
}
