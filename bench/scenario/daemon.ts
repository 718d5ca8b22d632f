/** One daemon of a benchmark: `node daemon.ts master|worker key=value …`; prints its RPC port when it serves, and on SIGUSR2 its memory. */
import { Config } from '../../src/core/config/index.ts'
import { silentLog, systemRuntime } from '../../src/core/index.ts'
import '../../src/core/options/index.ts'
import { startMaster } from '../../src/daemon/master/index.ts'
import { startWorker } from '../../src/daemon/worker/index.ts'
import { ZeroMqTransport } from '../../src/rpc/index.ts'

const [role, ...properties] = process.argv.slice(2)
const config = Config.load({ properties })
const modules = {
  runtime: systemRuntime,
  transport: new ZeroMqTransport({}, { runtime: systemRuntime }),
  log: silentLog,
  onFatal: (error: unknown) => {
    throw error
  },
}
const daemon =
  role === 'master'
    ? await startMaster(config, { ...modules, superuser: { user: 'bench', group: 'bench' } })
    : await startWorker(config, modules)
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  process.stdout.write(`${JSON.stringify(process.memoryUsage())}\n`)
})
process.once('SIGTERM', () => void daemon.stop())
process.stdout.write(`${daemon.rpcPort}\n`)
await daemon.ended
