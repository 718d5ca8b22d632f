/** npm, as a program: installs one package into a folder, and runs no script of anybody. */
import { spawn } from 'node:child_process'
import { AlluxioError } from '../../core/index.ts'

/** What npm says at its end is what explains a failure. */
const TOLD_BYTES = 4000

/** @throws UNAVAILABLE when npm is missing; INVALID_ARGUMENT with npm's words when it refuses */
export function npmInstall(
  spec: string,
  options: { readonly folder: string; readonly registry?: string; readonly signal?: AbortSignal },
): Promise<void> {
  const { folder, registry, signal } = options
  const args = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ]
  // Links would lead to a folder that its owner goes on changing.
  args.push(
    '--install-links',
    '--save-exact',
    ...(registry === undefined ? [] : ['--registry', registry]),
    '--',
    spec,
  )
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    })
    let told = ''
    npm.stderr.on('data', (chunk: Buffer) => {
      told = (told + chunk.toString()).slice(-TOLD_BYTES)
    })
    npm.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      reject(
        new AlluxioError(
          missing ? 'UNAVAILABLE' : 'CANCELLED',
          missing ? 'npm is not in the PATH' : `npm: ${error.message}`,
          {
            cause: error,
            details: missing ? { suggestions: ['Install Node.js with npm: https://nodejs.org'] } : {},
          },
        ),
      )
    })
    npm.once('close', (status) => {
      if (status === 0) resolve()
      else
        reject(
          new AlluxioError('INVALID_ARGUMENT', `npm could not install ${spec}:\n${told.trim()}`, {
            reason: 'NPM',
          }),
        )
    })
  })
}
