/** An HTTP server before a real NameNode: passes everything on except what a test answers itself. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HdfsFront {
  readonly address: string
  /** Answers, or returns false to have the call passed on. */
  answer: (call: URLSearchParams, response: ServerResponse, message: IncomingMessage) => boolean
  readonly seen: string[]
  stop(): Promise<void>
}

export async function startHdfsFront(target: string): Promise<HdfsFront> {
  const seen: string[] = []
  const front = { address: '', seen, answer: (() => false) as HdfsFront['answer'] }
  const server = createServer((message, response) => {
    const query = new URL(message.url!, target).searchParams
    seen.push(query.get('op') ?? '')
    if (front.answer(query, response, message)) return
    const { hostname, port } = new URL(target)
    const { method, url, headers } = message
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    message.pipe(onward)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  front.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(front, {
    stop: () =>
      new Promise<void>((stopped) => {
        server.close(() => stopped())
        server.closeAllConnections()
      }),
  })
}

/** An answer as Hadoop gives it. */
export function refuse(response: ServerResponse, status: number, exception: string, message: string): true {
  const text = JSON.stringify({ RemoteException: { exception, javaClassName: exception, message } })
  response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  return true
}
