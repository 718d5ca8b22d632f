/**
 * A master in a process of its own, which kills itself when its under-store is asked for one kind of call: before the store has
 * done it, or when it has.
 *
 *   node dying-master.ts FOLDER PORT OPERATION before|after     prints its port when it serves; OPERATION "none" lives
 */
import { join } from 'node:path'
import { Config } from '../../../src/core/config/index.ts'
import { silentLog, systemRuntime } from '../../../src/core/index.ts'
import '../../../src/core/options/index.ts'
import { startMaster } from '../../../src/daemon/master/index.ts'
import { ZeroMqTransport } from '../../../src/rpc/index.ts'
import { openStore, type UnderStore } from '../../../src/ufs/index.ts'

const [folder = '', port = '0', operation = 'none', moment = 'after'] = process.argv.slice(2)

function dying(store: UnderStore): UnderStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== operation) return typeof value === 'function' ? value.bind(target) : value
      return async (...args: unknown[]) => {
        // The root folder is made at every start.
        if (args[0] === '') return value.apply(target, args)
        if (moment === 'after') await value.apply(target, args)
        process.kill(process.pid, 'SIGKILL')
        return new Promise(() => {})
      }
    },
  })
}

const runtime = systemRuntime
const config = Config.load({
  env: { ALLUXIO_DATA: join(folder, 'master'), ALLUXIO_HOME: folder },
  overrides: {
    'alluxio.master.mount.table.root.ufs': join(folder, 'ufs'),
    'alluxio.master.rpc.port': port,
    'alluxio.hints.rpc.port': '0',
    'alluxio.hints.publish.port': '0',
    'alluxio.master.web.port': '0',
  },
})
const master = await startMaster(config, {
  runtime,
  transport: new ZeroMqTransport({}, { runtime }),
  log: silentLog,
  onFatal: (error) => {
    throw error
  },
  superuser: { user: 'tester', group: 'tester' },
  openStore: async ({ uri }) => dying(await openStore(uri, {}, { runtime, log: silentLog })),
  http: false,
})
process.stdout.write(`${master.rpcPort}\n`)
