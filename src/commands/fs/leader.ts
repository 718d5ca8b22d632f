import { AlluxioCommand } from '../command.ts'

export class Leader extends AlluxioCommand {
  static override summary = 'Print the host name of the leading master.'
  static override usage = 'fs leader'

  override async run(): Promise<void> {
    await this.parse(Leader)
    await this.withFileSystem(async (fs) => {
      const { address, rpcPort } = await fs.admin.info()
      const host = hostOf(address)
      this.output.emit(
        () => ({ host, rpcPort }),
        () => host,
      )
    })
  }
}

export class MasterInfo extends AlluxioCommand {
  static override summary = 'Print the leading master and all masters.'
  static override usage = 'fs masterInfo'

  override async run(): Promise<void> {
    await this.parse(MasterInfo)
    await this.withFileSystem(async (fs) => {
      const { address, rpcPort } = await fs.admin.info()
      const leader = `${hostOf(address)}:${rpcPort}`
      this.output.emit(
        () => ({ leader, masters: [leader] }),
        () => `Current leader master: ${leader}\nAll masters: [${leader}]`,
      )
    })
  }
}

/** The host of `host` or `host:port`. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '')
}
