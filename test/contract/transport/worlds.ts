/** The two worlds in which the suites run: hosts in memory, and real sockets on loopback. */
import { systemRuntime } from '../../../src/core/index.ts'
import { MemoryNetwork, type Transport, ZeroMqTransport } from '../../../src/rpc/index.ts'

export interface World {
  readonly name: string
  /** A transport of its own for each process that a test plays. */
  transport(host: string): Transport
  /** An address to listen on, with a free port. */
  address(host: string): string
}

export function memoryWorld(): World {
  const network = new MemoryNetwork({}, { runtime: systemRuntime })
  return {
    name: 'memory',
    transport: (host) => network.host(host),
    address: (host) => `${host}:0`,
  }
}

export function zeroMqWorld(): World {
  return {
    name: 'zeromq',
    transport: () => new ZeroMqTransport({ heartbeatMs: 500 }, { runtime: systemRuntime }),
    address: () => 'tcp://127.0.0.1:0',
  }
}
