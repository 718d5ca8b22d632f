/** The upload of one file to its under-store, which a worker does: bytes, or blocks that the worker holds, in order. */
import { AlluxioError } from '../core/index.ts'
import type { Client, WorkerBlock } from '../rpc/index.ts'
import { sendCopy } from './block-sinks.ts'
import type { EntryStatus } from './file-status.ts'
import type { Source } from './open-file.ts'
import type { KnownWorker } from './workers.ts'

export class UfsUpload {
  readonly worker: KnownWorker
  readonly #stream: ReturnType<Client<typeof WorkerBlock>['writeUfs']>
  #sent = 0

  constructor(worker: KnownWorker, { fileId, mode, owner, group }: EntryStatus, target: Source) {
    this.worker = worker
    this.#stream = worker.block.writeUfs({ fileId, target, mode, owner, group })
  }

  async send(bytes: Uint8Array): Promise<void> {
    await sendCopy(this.#stream, {}, bytes)
    this.#sent += bytes.length
  }

  /** The worker holds the block. */
  async sendBlock(blockId: number, length: number): Promise<void> {
    await this.#stream.write({ blockId, length })
    this.#sent += length
  }

  /** Fingerprint of the object, which is visible now. @throws DATA_LOSS when it has another length */
  async finish(): Promise<string> {
    const { fingerprint, length } = await this.#stream.finish()
    if (length !== this.#sent) {
      throw new AlluxioError(
        'DATA_LOSS',
        `the under-store has ${length} bytes of file where ${this.#sent} were sent`,
      )
    }
    return fingerprint
  }

  abort(): void {
    this.#stream.abort(new AlluxioError('CANCELLED', 'the writer gave up'))
  }
}
