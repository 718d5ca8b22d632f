/** Packages of PyPI at pinned versions, in a folder of the cache; nothing of the machine's Python is changed. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { cached } from './binary.ts'
import { debianPrograms, programPath, run } from './debian.ts'
import { complete } from './process.ts'

export interface Python {
  readonly program: string
  /** The folder with the packages. */
  readonly packages: string
  /** What a process needs to find them. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a program given as text; returns what it printed. @throws Error with its last words */
  execute(source: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>
}

const INSTALL_MS = 600_000

/** @param requirements such as `pyarrow==21.0.0`. @throws ServerMissing with the reason */
export async function pythonWith(name: string, requirements: readonly string[]): Promise<Python> {
  await debianPrograms(['python3'], ['python3'])
  const hash = createHash('sha256').update(requirements.join()).digest('hex').slice(0, 8)
  const packages = await cached(`python-${name}-${hash}`, async (scratch) => {
    const pip = await installer()
    const target = join(scratch, 'packages')
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-cache-dir']
    await run(
      pip.program,
      [...pip.args, 'install', ...quiet, '--target', target, ...requirements],
      INSTALL_MS,
    )
    return target
  })
  const program = programPath('python3')!
  const env = { PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
  return {
    program,
    packages,
    env,
    execute: (source, args = [], more = {}) =>
      complete({ binary: program, args: ['-c', source, ...args], env: { ...env, ...more } }),
  }
}

/** Debian has pip in a package of its own. */
async function installer(): Promise<{ program: string; args: readonly string[] }> {
  const own = { program: 'python3', args: ['-m', 'pip'] }
  try {
    await run(own.program, [...own.args, '--version'])
    return own
  } catch {
    await debianPrograms(['pip3'], ['python3-pip'])
    return { program: 'pip3', args: [] }
  }
}
