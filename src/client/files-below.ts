import type { FileStatus, FileSystem } from './types.ts'

/** A file, or all files below a directory. */
export async function* filesBelow(
  fs: Pick<FileSystem, 'getStatus' | 'list'>,
  path: string,
): AsyncGenerator<FileStatus, void> {
  const status = await fs.getStatus(path)
  if (!status.folder) return yield status
  for await (const child of fs.list(path, { recursive: true })) if (!child.folder) yield child
}
