/**
 * Gateways: the protocols of others (WebHDFS, S3) over the client library, and the HTTP servers that they and the daemons
 * stand behind.
 *
 * Owns what is read from and written to an HTTP connection: parsing, authentication before routing, bounds of size, time and
 * number, and the protocols' own errors. Never touches a block, a store or metadata but through `src/client`.
 */
export { type Certificate, HttpListener, type HttpListenerOptions } from './http/listener.ts'
export { S3Gateway, type S3GatewayOptions } from './s3/index.ts'
export { Users } from './users.ts'
export { WebHdfsData } from './webhdfs/data.ts'
export { WebHdfsGateway } from './webhdfs/gateway.ts'
