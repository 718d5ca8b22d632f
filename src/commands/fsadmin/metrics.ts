import { AlluxioCommand } from '../command.ts'

const NUMBER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 5 })

export class ReportMetrics extends AlluxioCommand {
  static override summary = 'Print the metrics of the cluster.'
  static override usage = 'fsadmin report metrics'

  override async run(): Promise<void> {
    await this.parse(ReportMetrics)
    await this.withFileSystem(async (fs) => {
      const values = await fs.admin.metrics()
      this.output.emit(
        () => values,
        () =>
          Object.keys(values)
            .sort()
            .map(
              (name) =>
                `${name}  (Type: ${/_(total|count)\b/.test(name) ? 'COUNTER' : 'GAUGE'}, Value: ${NUMBER.format(values[name]!)})`,
            )
            .join('\n'),
      )
    })
  }
}
