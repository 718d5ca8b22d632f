/** Tells what a block file is and whether it is sound: `alluxio block inspect`. Uses apache-arrow, loaded when called. */
import { type AlluxioError, isAlluxioError } from '../core/index.ts'
import type { BlockDisk } from './disk.ts'
import { writeHead } from './frame.ts'
import { openBlock } from './reader.ts'

export interface BlockInspection {
  readonly path: string
  readonly fileBytes: number
  /** Why the file is not a sound block of ours; undefined when it is. */
  readonly problem: string | undefined
  /** Schema as Arrow names it, one line a column, and its metadata. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly metadata: Readonly<Record<string, string>>
  readonly blockId?: number
  readonly fileId?: number
  /** Bytes of the block. */
  readonly length?: number
  readonly sealedMs?: number
  readonly rows?: number
  readonly width?: number
  readonly bodyOffset?: number
  /** Whether the file was not written to since it was sealed, in this boot. */
  readonly sealIntact?: boolean
  readonly badPages: readonly number[]
  readonly headIntact?: boolean
}

/** @throws NOT_FOUND and errors of the disk; a damaged file is an answer */
export async function inspectBlock(disk: BlockDisk, path: string): Promise<BlockInspection> {
  const { size } = disk.facts(path)
  const schema = await readSchema(disk, path, size)
  try {
    const handle = openBlock(disk, path, { trustSeal: true })
    try {
      const { blockId, fileId, sealedMs } = handle.metadata
      const { rows, width, bodyOffset } = handle.layout
      const badPages = handle.verify()
      const headIntact = intactHead(disk, path, handle.layout)
      const problem =
        badPages.length > 0
          ? `${badPages.length} of ${rows} pages have another checksum`
          : headIntact
            ? undefined
            : 'its head was changed; the bytes are sound'
      return {
        path,
        fileBytes: size,
        problem,
        ...schema,
        ...{ blockId, fileId, length: handle.length, sealedMs, rows, width, bodyOffset },
        sealIntact: handle.trusted,
        badPages,
        headIntact,
      }
    } finally {
      handle.close()
    }
  } catch (error) {
    if (!isAlluxioError(error)) throw error
    return { path, fileBytes: size, problem: (error as AlluxioError).message, ...schema, badPages: [] }
  }
}

function intactHead(disk: BlockDisk, path: string, layout: Parameters<typeof writeHead>[1]): boolean {
  const file = disk.open(path, 'read')
  try {
    const expected = Buffer.alloc(layout.bodyOffset)
    const head = Buffer.alloc(layout.bodyOffset)
    writeHead(expected, layout)
    file.readSync(head, 0)
    return head.equals(expected)
  } finally {
    file.close()
  }
}

/** What any Arrow reader sees; empty when it sees nothing. */
async function readSchema(
  disk: BlockDisk,
  path: string,
  size: number,
): Promise<Pick<BlockInspection, 'columns' | 'metadata'>> {
  const file = disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(size)
    file.readSync(bytes, 0)
    const { tableFromIPC } = await import('apache-arrow')
    const { schema } = tableFromIPC(bytes)
    return {
      columns: schema.fields.map((field) => ({ name: field.name, type: String(field.type) })),
      metadata: Object.fromEntries(schema.metadata),
    }
  } catch {
    return { columns: [], metadata: {} }
  } finally {
    file.close()
  }
}
