/** Secrets by reference: `env:NAME`, `file:PATH`, or the value itself. A daemon's options name them, never hold them. */
import { readFileSync } from 'node:fs'
import { AlluxioError, fromErrno } from '../errors.ts'
import { Secret } from '../log.ts'

/**
 * The secret that `text` refers to. Surrounding white space of a file is dropped (editors end files with a newline).
 * @throws INVALID_ARGUMENT when the variable is not set or the file is empty, NOT_FOUND or PERMISSION_DENIED when it
 *   cannot be read; the message names the reference, never a value.
 */
export function resolveSecret(
  key: string,
  text: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Secret {
  if (text.startsWith('env:')) {
    const value = env[text.slice(4)]
    if (value === undefined || value === '') {
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${key}: the environment variable ${text.slice(4)} is not set`,
      )
    }
    return new Secret(value)
  }
  if (text.startsWith('file:'))
    return new Secret(readSecretFile(key, text.slice(5).replace(/^\/\/(?=\/)/, '')))
  return new Secret(text)
}

function readSecretFile(key: string, path: string): string {
  let value: string
  try {
    value = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw fromErrno(error, `read the secret of ${key} from`, path)
  }
  if (value === '') throw new AlluxioError('INVALID_ARGUMENT', `${key}: the file ${path} is empty`)
  return value
}
