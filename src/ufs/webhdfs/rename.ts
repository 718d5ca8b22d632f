/** Moves a path in one atomic step, with a refusal told as what it is. */
import { AlluxioError, isAlluxioError } from '../../core/index.ts'
import type { NameNodes } from './name-nodes.ts'

/**
 * With `renameoptions` the NameNode answers a refusal with its exception; without them, or from a gateway that does not know them, it is
 * `{"boolean": false}` with status 200, whose cause has to be looked for.
 * @throws NOT_FOUND, ALREADY_EXISTS, IS_A_DIRECTORY (a file over a directory), NOT_A_DIRECTORY, CONFLICT
 */
export async function rename(
  nodes: NameNodes,
  src: string,
  dst: string,
  options: { readonly replace: boolean; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { replace, signal } = options
  const query = { destination: dst, renameoptions: replace ? 'OVERWRITE' : 'NONE' }
  const what = `RENAME ${src} to ${dst}`
  let answer: Awaited<ReturnType<NameNodes['call']>>
  try {
    answer = await nodes.call({ method: 'PUT', op: 'RENAME', path: src, query, signal })
  } catch (error) {
    // What stands at the target is of the other kind.
    if (!isAlluxioError(error, 'IS_A_DIRECTORY')) throw error
    const [code, text] = replace
      ? (['IS_A_DIRECTORY', 'the target is a directory'] as const)
      : (['ALREADY_EXISTS', 'the target exists'] as const)
    throw new AlluxioError(code, `${what}: ${text}`, { cause: error })
  }
  if (answer?.boolean !== false) return
  if (!(await exists(nodes, src, signal)))
    throw new AlluxioError('NOT_FOUND', `${what}: the source does not exist`)
  if (await exists(nodes, dst, signal)) {
    throw replace
      ? new AlluxioError('UNSUPPORTED', `${what}: the server does not replace files by a rename`)
      : new AlluxioError('ALREADY_EXISTS', `${what}: the target exists`)
  }
  const parent = dst.slice(0, dst.lastIndexOf('/')) || '/'
  if (!(await exists(nodes, parent, signal))) {
    throw new AlluxioError('NOT_FOUND', `${what}: the directory of the target does not exist`)
  }
  throw new AlluxioError('CONFLICT', `${what}: the server refused without a reason`, {
    reason: 'RENAME_REFUSED',
  })
}

async function exists(nodes: NameNodes, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await nodes.call({ method: 'GET', op: 'GETFILESTATUS', path, signal })
    return true
  } catch (error) {
    if (isAlluxioError(error, 'NOT_FOUND') || isAlluxioError(error, 'NOT_A_DIRECTORY')) return false
    throw error
  }
}
