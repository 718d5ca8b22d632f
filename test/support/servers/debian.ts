/** Programs that Debian packages: installed on first use where the tests may do that (root, apt-get). */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ServerMissing } from './binary.ts'
import { complete } from './process.ts'

const SYSTEM = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Path of a program, or undefined. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

let installing: Promise<void> = Promise.resolve()

/** Makes sure that all `programs` are there, which `packages` bring. @throws ServerMissing with the reason */
export async function debianPrograms(
  programs: readonly string[],
  packages: readonly string[],
): Promise<void> {
  const missing = () => programs.filter((name) => programPath(name) === undefined)
  installing = installing
    .catch(() => {})
    .then(async () => {
      if (missing().length === 0) return
      if (process.getuid?.() !== 0)
        throw new ServerMissing(`${missing().join(', ')} missing, and only root can install`)
      const options = ['-o', 'DPkg::Lock::Timeout=300', '-q']
      // The lists may be missing or old; they may also do as they are.
      await run('apt-get', [...options, 'update']).catch(() => {})
      await run('apt-get', [...options, 'install', '-y', '--no-install-recommends', ...packages])
      if (missing().length > 0)
        throw new ServerMissing(`${packages.join(' ')} bring no ${missing().join(', ')}`)
    })
  await installing
}

/** Runs a program to its end; returns what it printed. @throws ServerMissing with its last words */
export async function run(program: string, args: readonly string[], timeoutMs = 300_000): Promise<string> {
  const binary = programPath(program) ?? program
  try {
    return await complete({ binary, args, env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs })
  } catch (error) {
    throw new ServerMissing((error as Error).message)
  }
}
