/**
 * What runs in the thread of a plug-in: loads its module and serves calls to the stores that it opens. Started by
 * `plug-in-thread.ts`; a thread that does anything wrong ends, and nothing else with it.
 *
 * A daemon finds this file by {@link THREAD_URL}, wherever the bundler has put it.
 */
import { registerHooks } from 'node:module'
import { getHeapStatistics } from 'node:v8'
import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads'
import {
  type FromThread,
  foreignError,
  movable,
  THREAD_MARK,
  type ThreadData,
  type ToThread,
} from './messages.ts'
import { ThreadStores } from './thread-stores.ts'

export const THREAD_URL = import.meta.url

if (!isMainThread && (workerData as Partial<ThreadData> | null)?.mark === THREAD_MARK) {
  await serve(parentPort!, workerData as ThreadData)
}

async function serve(port: MessagePort, { url }: ThreadData): Promise<void> {
  const post = (message: FromThread): void => {
    if (message.kind === 'chunk') {
      const chunk = movable(message.chunk)
      port.postMessage({ ...message, chunk }, [chunk.buffer])
    } else port.postMessage(message)
  }
  // Before the module is loaded, so that one that loops or waits for ever is told from a slow one.
  port.on('message', (message: ToThread) => {
    if (message.kind === 'ping') post({ kind: 'pong', bufferBytes: getHeapStatistics().external_memory ?? 0 })
  })
  try {
    await offerInterface()
    const { default: exported } = (await import(url)) as { readonly default?: unknown }
    const stores = new ThreadStores(exported, post)
    port.on('message', (message: ToThread) => stores.receive(message))
    post({ kind: 'loaded', schemes: stores.schemes })
  } catch (error) {
    post({ kind: 'refused', error: foreignError(error) })
  }
}

/** `alluxio/ufs` is this very release's interface, wherever the plug-in is installed. */
async function offerInterface(): Promise<void> {
  const offered: Record<string, unknown> = { ...(await import('../plug-in.ts')) }
  const key = Symbol.for('alluxio.ufs')
  Object.defineProperty(globalThis, key, { value: offered })
  const source = [
    `const offered = globalThis[Symbol.for('alluxio.ufs')]`,
    ...Object.keys(offered).map((name) => `export const ${name} = offered.${name}`),
  ].join('\n')
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'alluxio/ufs' ? { url: 'alluxio:ufs', shortCircuit: true } : next(specifier, context),
    load: (url, context, next) =>
      url === 'alluxio:ufs' ? { format: 'module', source, shortCircuit: true } : next(url, context),
  })
}
