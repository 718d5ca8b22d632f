/** Plain requests to a gateway, without a library that would put paths and headers in order. */
import { type IncomingMessage, request } from 'node:http'

/** What answers carry; each has one of these. */
export interface Reply {
  readonly boolean: boolean
  readonly long: number
  readonly Path: string
  readonly Location: string
  readonly FileStatus: HdfsStatus
  readonly FileStatuses: { readonly FileStatus: readonly HdfsStatus[] }
  readonly DirectoryListing: {
    readonly partialListing: { readonly FileStatuses: { readonly FileStatus: readonly HdfsStatus[] } }
    readonly remainingEntries: number
  }
  readonly BlockLocations: {
    readonly BlockLocation: readonly {
      readonly offset: number
      readonly length: number
      readonly hosts: readonly string[]
      readonly names: readonly string[]
    }[]
  }
  readonly LocatedBlocks: { readonly locatedBlocks: readonly object[]; readonly lastLocatedBlock: object }
  readonly ContentSummary: object
  readonly QuotaUsage: object
  readonly FileChecksum: { readonly algorithm: string; readonly bytes: string }
  readonly XAttrs: readonly { readonly name: string; readonly value: string }[]
  readonly XAttrNames: string
  readonly AclStatus: { readonly entries: readonly string[] }
  readonly FsStatus: { readonly capacity: number }
  readonly FsServerDefaults: object
  readonly BlockStoragePolicy: { readonly name: string }
  readonly BlockStoragePolicies: object
  readonly Token: { readonly urlString: string }
  readonly RemoteException?: {
    readonly exception: string
    readonly javaClassName: string
    readonly message: string
  }
}

export interface HdfsStatus {
  readonly pathSuffix: string
  readonly length: number
  readonly type: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly json: Reply
}

export interface Asked {
  readonly method?: string
  /** As it goes out. */
  readonly target: string
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** @default false */
  readonly follow?: boolean
}

export function ask(
  authority: string,
  { method = 'GET', target, body, headers = {}, follow = false }: Asked,
): Promise<Answer> {
  const [host, port] = authority.split(':') as [string, string]
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path: target, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const { location } = answer.headers
        if (follow && answer.statusCode === 307 && location !== undefined) {
          const to = new URL(location)
          resolve(
            ask(to.host, {
              method,
              target: to.pathname + to.search,
              headers,
              ...(body === undefined ? {} : { body }),
            }),
          )
          return
        }
        const all = Buffer.concat(chunks)
        resolve({ status: answer.statusCode!, headers: answer.headers, body: all, json: parsed(all) })
      })
    })
    sent.on('error', reject)
    // A redirect is asked for without the body.
    sent.end(follow ? undefined : body)
  })
}

function parsed(body: Buffer): Reply {
  try {
    return JSON.parse(body.toString())
  } catch {
    return {} as Reply
  }
}

/** A WebHDFS client of a few lines: calls as one user. */
export class Hdfs {
  readonly #authority: string
  readonly #user: string

  constructor(authority: string, user: string) {
    this.#authority = authority
    this.#user = user
  }

  /** @param path decoded */
  call(
    method: string,
    path: string,
    op: string,
    parameters: Readonly<Record<string, string>> = {},
    body?: Uint8Array,
  ): Promise<Answer> {
    const query = new URLSearchParams({ op, 'user.name': this.#user, ...parameters })
    const target = `/webhdfs/v1${path.split('/').map(encodeURIComponent).join('/')}?${query}`
    const isData =
      ['OPEN', 'CREATE', 'APPEND', 'GETFILECHECKSUM'].includes(op) && parameters.noredirect === undefined
    return ask(this.#authority, { method, target, follow: isData, ...(body === undefined ? {} : { body }) })
  }

  async write(
    path: string,
    bytes: Uint8Array,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return this.call('PUT', path, 'CREATE', parameters, bytes)
  }

  async read(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<Buffer> {
    const { status, body } = await this.call('GET', path, 'OPEN', parameters)
    if (status !== 200) throw new Error(`${status} ${body}`)
    return body
  }

  async status(path: string): Promise<HdfsStatus> {
    return (await this.call('GET', path, 'GETFILESTATUS')).json.FileStatus
  }
}

/** The exception that an answer names; '' if it is none. */
export function exceptionOf({ json }: Answer): string {
  return json.RemoteException?.exception ?? ''
}
