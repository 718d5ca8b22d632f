import { writeSync } from 'node:fs'
import { Config } from '../../core/config/index.ts'
import { JsonLog, systemRuntime } from '../../core/index.ts'
import { LOG_LEVEL, SECURITY_TRANSPORT, UFS_READ_POLICY } from '../../core/options/index.ts'
import { AlluxioCommand } from '../command.ts'

export class KubernetesServe extends AlluxioCommand {
  static override summary =
    'Run the scheduler extender and admission webhook for Kubernetes in the foreground.'
  static override description =
    'Places pods that name their inputs (annotation alluxio.org/inputs) near them, and holds those that ask for it until their inputs are cached. deploy/kubernetes has manifests; the log goes to standard error.'
  static override usage = 'kubernetes serve'

  override async run(): Promise<void> {
    await this.parse(KubernetesServe)
    const { startKubernetes } = await import('../../daemon/kubernetes/index.ts')
    const { ZeroMqTransport } = await import('../../rpc/index.ts')
    const { properties, signal } = this.invocation
    const config = this.configuration.isSet(UFS_READ_POLICY)
      ? this.configuration
      : // What is warmed goes where hints say that it will be.
        Config.load({ properties, overrides: { [UFS_READ_POLICY.key]: 'DeterministicHash' } })
    const log = new JsonLog(
      { level: config.get(LOG_LEVEL), fields: { daemon: 'kubernetes', pid: process.pid } },
      { sink: (line) => writeSync(2, line), runtime: systemRuntime },
    )
    const transport = new ZeroMqTransport(
      { security: config.get(SECURITY_TRANSPORT) },
      { runtime: systemRuntime },
    )
    const daemon = await startKubernetes(config, { runtime: systemRuntime, transport, log })
    signal.addEventListener('abort', () => void daemon.stop(), { once: true })
    await daemon.ended
  }
}
