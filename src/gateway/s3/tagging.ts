/** Tags of objects. */
import type { FileStatus } from '../../client/index.ts'
import type { Runtime } from '../../core/index.ts'
import { S3Error } from './errors.ts'
import { answerEmpty, answerXml, type Exchange } from './exchange.ts'
import type { Keys } from './keys.ts'
import { TAGS_XATTR, tagsOf, tagsText } from './object-info.ts'
import type { ObjectReads } from './object-reads.ts'
import { receiveDocument } from './upload-body.ts'
import { childrenOf, element, parseXml, textOf } from './xml.ts'

const MAX_TAGGING_BYTES = 64 * 1024

export interface TaggingModules {
  readonly keys: Keys
  readonly reads: ObjectReads
  readonly runtime: Runtime
}

export class Tagging {
  readonly #modules: TaggingModules

  constructor(modules: TaggingModules) {
    this.#modules = modules
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, fs, payload } = exchange
    const text =
      request.method === 'PUT'
        ? await receiveDocument(request, payload, this.#modules.runtime, MAX_TAGGING_BYTES)
        : ''
    const status = await this.status(exchange)
    if (request.method === 'GET') {
      let inner = ''
      for (const [name, value] of tagsOf(status)) {
        inner += `<Tag>${element('Key', name)}${element('Value', value)}</Tag>`
      }
      return answerXml(exchange, 'Tagging', `<TagSet>${inner}</TagSet>`)
    }
    const tags = request.method === 'PUT' ? Buffer.from(tagsIn(text)) : null
    await fs.setAttribute(status.path, { xattr: { [TAGS_XATTR]: tags } })
    answerEmpty(exchange, request.method === 'PUT' ? 200 : 204)
  }

  /** @throws NoSuchKey */
  async status({ request, fs }: Exchange): Promise<FileStatus> {
    const { keys, reads } = this.#modules
    const { bucket, key } = request
    const path = keys.path(bucket, key, true)
    try {
      const status = await fs.getStatus(path)
      if (status.folder === key.endsWith('/') && status.completed) return status
    } catch (error) {
      throw await reads.notThere(fs, bucket, key, error)
    }
    throw new S3Error('NoSuchKey', undefined, { details: { Key: key } })
  }
}

/** @throws MalformedXML, InvalidTag */
function tagsIn(text: string): string {
  const sets = childrenOf(parseXml(text, 'Tagging'), 'TagSet')
  if (sets.length !== 1) throw new S3Error('MalformedXML')
  const tags = childrenOf(sets[0]!, 'Tag').map((tag) => {
    const [name, value] = [textOf(tag, 'Key'), textOf(tag, 'Value')]
    if (name === undefined || value === undefined) throw new S3Error('MalformedXML')
    return [name, value] as const
  })
  return tagsText(tags)
}
