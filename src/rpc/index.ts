/**
 * Owns: the contracts of every service, and how they are carried: codec, client, server, streams, transports.
 * Never: decides what a call means, opens files, knows a daemon.
 *
 * A service is declared in `contracts/*.contract.ts`, served by {@link RpcServer.serve} and called through
 * {@link RpcConnection.client}. The form of messages stands in `codec.ts`, the promises of a transport in
 * `transport/transport.ts`; read on there.
 */
export { connectRpc, RpcConnection, type RpcConnectionModules, type RpcConnectionOptions } from './client.ts'
export * from './contract.ts'
export * from './contracts/index.ts'
export { Packed, Writer } from './message-pack.ts'
export { RpcServer, type RpcServerModules, type RpcServerOptions } from './server.ts'
export { MemoryNetwork, type MemoryNetworkOptions, type NetworkModel } from './transport/memory.ts'
export type {
  Connection,
  ConnectionEvents,
  Frames,
  Listener,
  Publisher,
  Transport,
} from './transport/transport.ts'
export { type ZeroMqOptions, ZeroMqTransport } from './transport/zeromq.ts'
