/** Connects a command to the cluster that its configuration names. */
import { connectFileSystem, type FileSystem } from '../client/index.ts'
import { Config } from '../core/config/index.ts'
import { systemRuntime } from '../core/index.ts'
import { RPC_RETRY_MAX } from '../core/options/index.ts'

/** A person waits: give up on a master that does not answer sooner than a program would (upstream does the same). */
const CLI_RETRY = '5s'

export async function connect(properties: readonly string[]): Promise<FileSystem> {
  const config = Config.load({ properties })
  const patient = config.isSet(RPC_RETRY_MAX)
    ? config
    : Config.load({ properties, overrides: { [RPC_RETRY_MAX.key]: CLI_RETRY } })
  return await connectFileSystem({}, { config: patient, runtime: systemRuntime })
}
