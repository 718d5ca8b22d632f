import { systemRuntime } from '../../core/index.ts'
import { type DaemonName, stopDaemon } from '../../daemon/launch/index.ts'
import { AlluxioCommand, Flags } from '../command.ts'
import { daemonsOf, TARGET } from './words.ts'

export class Stop extends AlluxioCommand {
  static override summary = 'Stop the daemons of this machine: SIGTERM first, SIGKILL after a deadline.'
  static override usage = 'stop [master|worker|proxy|local]'
  static override shape = 'list' as const
  static override args = TARGET
  static override flags = {
    wait: Flags.integer({
      default: 30,
      min: 0,
      helpValue: '<seconds>',
      summary: 'longest wait before SIGKILL',
    }),
  }

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Stop)
    // Workers first: they give back what they owe to a master that still listens.
    for (const name of [...daemonsOf(args.daemon)].reverse()) await this.#stop(name, flags.wait * 1000)
  }

  async #stop(name: DaemonName, deadlineMs: number): Promise<void> {
    const outcome = await stopDaemon(this.configuration, { name, deadlineMs }, { runtime: systemRuntime })
    const words = {
      absent: 'was not running',
      stopped: 'has stopped',
      killed: 'did not stop in time and was killed',
    }
    this.output.emit(
      () => ({ daemon: name, outcome }),
      () => `The ${name} ${words[outcome]}`,
    )
    this.output.flush()
  }
}
