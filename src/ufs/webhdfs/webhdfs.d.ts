/** What is used of the npm package `webhdfs`, which brings no types. */
declare module 'webhdfs' {
  interface Request {
    on(
      event: 'complete',
      listener: (answer: import('node:http').IncomingMessage, body: unknown) => void,
    ): void
    abort(): void
  }
  type Done = (error: Error | null) => void
  interface Client {
    /** Private in the package, whose version is fixed. */
    _parseError: (body: unknown) => Error
    chmod(path: string, mode: string, done: Done): Request
    chown(path: string, owner: string, group: string, done: Done): Request
  }
  const WebHDFS: {
    createClient(
      address: { protocol: string; host: string; port: number; path: string; user: string },
      requestOptions: Readonly<Record<string, unknown>>,
    ): Client
  }
  export default WebHDFS
}
