import { AlluxioError } from '../../core/index.ts'
import { AlluxioCommand, PATHS } from '../command.ts'

/** A JSON document is made in memory. */
const JSON_LIMIT_BYTES = 16 * 2 ** 20
const CHUNK_BYTES = 4 * 2 ** 20

export class Cat extends AlluxioCommand {
  static override summary = 'Print the content of files.'
  static override usage = 'fs cat <path> ...'
  static override description =
    'Bytes go out as they are. With --json each file is an item with its bytes in base64, up to 16 MiB.'
  static override shape = 'list' as const
  static override args = PATHS

  override async run(): Promise<void> {
    const { args } = await this.parse(Cat)
    await this.forEachPath(args.path, async (fs, path) => {
      const reader = await fs.open(path)
      try {
        if (this.output.json === 'off') {
          for await (const chunk of reader.stream({ chunkBytes: CHUNK_BYTES })) this.output.bytes(chunk)
          return
        }
        const bytes = await readRange(reader, 0, reader.length)
        this.output.emit(
          () => content(path, reader.length, 0, bytes),
          () => undefined,
        )
      } finally {
        await reader.close()
      }
    })
  }
}

export async function readRange(
  reader: {
    readonly length: number
    readInto(position: number, buffer: Uint8Array): number | Promise<number>
  },
  start: number,
  end: number,
): Promise<Buffer> {
  if (end - start > JSON_LIMIT_BYTES) {
    throw new AlluxioError(
      'INVALID_ARGUMENT',
      `${end - start} bytes are too many for a JSON document: read them without --json, or part of them with head -c`,
    )
  }
  const bytes = Buffer.alloc(end - start)
  let done = 0
  while (done < bytes.length) {
    const n = await reader.readInto(start + done, bytes.subarray(done))
    if (n === 0) break
    done += n
  }
  return bytes.subarray(0, done)
}

export function content(
  path: string,
  length: number,
  offset: number,
  bytes: Buffer,
): Record<string, unknown> {
  return { path, length, offset, bytes: bytes.length, base64: bytes.toString('base64') }
}
