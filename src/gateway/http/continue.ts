/**
 * `Expect: 100-continue`: a client that waits with its body is told to send it when somebody begins to read it, so that what would fail
 * anyway (a token, a name that is taken) fails before a byte is sent, and a new file is there before its first byte.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

export function bodyWaits(request: IncomingMessage, response: ServerResponse): void {
  waiting.set(request, response)
}

/** Somebody reads the body now. */
export function bodyWanted(request: IncomingMessage): void {
  const response = waiting.get(request)
  if (response === undefined) return
  waiting.delete(request)
  if (!response.headersSent) response.writeContinue()
}
