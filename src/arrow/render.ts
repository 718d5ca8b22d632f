/**
 * Head and tail of a block file as apache-arrow writes them: the source of the frame in `frame.ts`, which a test compares
 * with this for every shape. Not used while blocks are written: loading apache-arrow and a flatbuffer each are too dear there.
 *
 * arrow-js puts the body behind magic and message, at an offset that suits nobody; zeros after the magic push it to a multiple
 * of 4096 (64 for small blocks), and the footer's block entry follows because the writer counts its own position.
 */
import {
  Field,
  FixedSizeBinary,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  Uint32,
} from 'apache-arrow'
import type { BlockLayout } from './layout.ts'

export interface HeadAndTail {
  readonly head: Uint8Array
  readonly tail: Uint8Array
}

/** @param metadata schema metadata in the order of the file */
export function renderFrame(layout: BlockLayout, metadata: Map<string, string>): HeadAndTail {
  const bare = render(layout, metadata, 0)
  return render(layout, metadata, layout.bodyOffset - bare.head.length)
}

/** What arrow-js writes before and after the body of one record batch of this shape; the body itself is never made. */
function render(layout: BlockLayout, metadata: Map<string, string>, padding: number): HeadAndTail {
  const { rows, width } = layout
  const page = new FixedSizeBinary(width)
  const fields = [new Field('page', page, false), new Field('crc32c', new Uint32(), false)]
  const schema = new Schema(fields, metadata)
  const children = [
    makeData({ type: page, length: rows, nullCount: 0, data: virtualBytes(rows * width) }),
    makeData({ type: new Uint32(), length: rows, nullCount: 0, data: new Uint32Array(rows) }),
  ]
  const batch = new RecordBatch(
    schema,
    makeData({ type: new Struct(fields), length: rows, nullCount: 0, children }) as any,
  )
  const writer = new FrameWriter(padding)
  writer.write(batch as any)
  writer.finish()
  return writer.parts()
}

/** Zeros that no one reads: the memory is reserved by the allocator but never touched. */
function virtualBytes(length: number): Uint8Array {
  return new Uint8Array(length)
}

/** arrow-js's file writer with padding after the magic and without the body. Its hooks are private in its types. */
class FrameWriter extends (RecordBatchFileWriter as any) {
  readonly #padding: number
  readonly #parts: [Uint8Array[], Uint8Array[]] = [[], []]
  #part: 0 | 1 = 0

  constructor(padding: number) {
    super()
    this.#padding = padding
  }

  _writeSchema(): this {
    ;(this as any)._writeMagic()
    ;(this as any)._writePadding(2 + this.#padding)
    return this
  }

  _write(chunk: Uint8Array | Int32Array): this {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#parts[this.#part].push(bytes.slice())
    ;(this as any)._position += bytes.length
    return this
  }

  _writeBodyBuffers(): this {
    this.#part = 1
    return this
  }

  parts(): HeadAndTail {
    const [head, tail] = this.#parts.map((pieces) => new Uint8Array(Buffer.concat(pieces)))
    return { head: head!, tail: Uint8Array.from(tail!) }
  }
}
