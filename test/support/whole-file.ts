/** Whole files through a client, as the end-to-end suites write and read them. */
import type { FileStatus, FileSystem, OpenOptions, WriteType } from '../../src/client/index.ts'

const CHUNK_BYTES = 256 * 1024

export async function writeWhole(
  fs: FileSystem,
  path: string,
  bytes: Uint8Array,
  writeType: WriteType,
): Promise<FileStatus> {
  const writer = await fs.create(path, { writeType })
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    await writer.write(bytes.subarray(at, at + CHUNK_BYTES))
  }
  return writer.close()
}

export async function readWhole(fs: FileSystem, path: string, options: OpenOptions = {}): Promise<Buffer> {
  const reader = await fs.open(path, options)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of reader.stream()) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  } finally {
    await reader.close()
  }
}
