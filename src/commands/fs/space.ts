import { AlluxioCommand } from '../command.ts'

async function sum(
  command: AlluxioCommand,
  field: 'capacityBytes' | 'usedBytes',
  label: string,
): Promise<void> {
  await command.withFileSystem(async (fs) => {
    let total = 0n
    for (const worker of await fs.admin.workers()) {
      if (worker.state === 'LIVE') for (const tier of worker.tiers) total += BigInt(tier[field])
    }
    command.output.emit(
      () => ({ [field]: Number(total) }),
      () => `${label}: ${total}`,
    )
  })
}

export class GetCapacityBytes extends AlluxioCommand {
  static override summary = 'Print the capacity of all workers in bytes.'
  static override usage = 'fs getCapacityBytes'

  override async run(): Promise<void> {
    await this.parse(GetCapacityBytes)
    await sum(this, 'capacityBytes', 'Capacity Bytes')
  }
}

export class GetUsedBytes extends AlluxioCommand {
  static override summary = 'Print the bytes that are used on all workers.'
  static override usage = 'fs getUsedBytes'

  override async run(): Promise<void> {
    await this.parse(GetUsedBytes)
    await sum(this, 'usedBytes', 'Used Bytes')
  }
}
