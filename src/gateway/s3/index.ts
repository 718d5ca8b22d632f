/**
 * The S3 gateway. Owns the protocol: signatures, XML, conditions, checksums, multipart uploads, and how keys stand for paths.
 * Keeps nothing: what an object is beside its bytes stands in extended attributes, what is being uploaded in the staging area.
 * Read on in `gateway.ts` (a request's way), `routes.ts` (the operations), `signature.ts`, `object-writes.ts`.
 */
export { S3Gateway, type S3GatewayModules, type S3GatewayOptions } from './gateway.ts'
