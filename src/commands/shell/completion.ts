import { AlluxioCommand, Args } from '../command.ts'
import { shippedManifest } from '../manifest.ts'
import { bashScript, fishScript, zshScript } from './scripts.ts'

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export class Completion extends AlluxioCommand {
  static override summary = 'Print the completion script of a shell.'
  static override usage = 'completion bash|zsh|fish'
  static override examples = [
    'source <(alluxio completion bash)',
    'alluxio completion zsh > "$' + '{fpath[1]}/_alluxio"',
    'alluxio completion fish > ~/.config/fish/completions/alluxio.fish',
  ]
  static override args = {
    shell: Args.string({
      description: 'which shell',
      required: true,
      options: Object.keys(SHELLS),
      ignoreStdin: true,
    }),
  }

  override async run(): Promise<void> {
    const { args } = await this.parse(Completion)
    const commands = Object.values(shippedManifest(this.invocation.home).commands)
    const script = SHELLS[args.shell as keyof typeof SHELLS](commands)
    this.output.emit(
      () => ({ shell: args.shell, script }),
      () => script.trimEnd(),
    )
  }
}
