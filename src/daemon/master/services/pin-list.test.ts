import { describe, expect, it } from '@jest/globals'
import type { FileId, WorkerId } from '../../../core/index.ts'
import type { Pin } from '../../../namespace/index.ts'
import { pinnedFiles } from '../../worker/services/pinned-files.ts'
import { PinList } from './pin-list.ts'
import type { Worker, WorkerCommand } from './worker-registry.ts'

function workerNamed(id: number): Worker {
  const address = { id: id as WorkerId, host: 'h', rpcPort: 1, webPort: 2, uuid: String(id) }
  return {
    ...{ address, session: id, state: 'LIVE', tiers: [], load: 0, startedMs: 0 },
    ...{ heardMonotonicMs: 0, registering: false, pinsTold: undefined },
    ...{ version: '', revision: '', names: [] },
  }
}

describe('the list of pins', () => {
  const pins: Pin[] = []
  const namespace = { pinsVersion: 1, pins: () => pins }
  const sent: { id: number; command: WorkerCommand }[] = []
  const workers = { send: (id: number, command: WorkerCommand) => sent.push({ id, command }) > 0 }
  const pin = (fileId: number, media: readonly string[]) => {
    pins.push({ fileId: fileId as FileId, media })
    namespace.pinsVersion++
  }

  it('reaches a worker as it is in the namespace, media and all', () => {
    const list = new PinList({ namespace, workers })
    pin(2 ** 33 + 1, [])
    pin(5, ['MEM', 'SSD'])
    pin(6, ['SSD'])
    pin(7, ['MEM', 'SSD'])
    list.tell(workerNamed(1))
    expect(pinnedFiles(sent[0]!.command)).toEqual(
      new Map<number, readonly string[]>([
        [2 ** 33 + 1, []],
        [5, ['MEM', 'SSD']],
        [7, ['MEM', 'SSD']],
        [6, ['SSD']],
      ]),
    )
    expect(sent[0]!.command.mediaPins).toHaveLength(2)
  })

  it('is sent when it has changed, at most once a second, and never forgotten', () => {
    const list = new PinList({ namespace, workers })
    const worker = workerNamed(2)
    sent.length = 0
    for (let ms = 0; ms < 5000; ms += 25) {
      worker.heardMonotonicMs = ms
      if (ms < 2500) pin(100 + ms, [])
      list.tell(worker)
    }
    expect(sent).toHaveLength(4)
    expect(pinnedFiles(sent.at(-1)!.command).size).toBe(pins.length)
  })

  it('is encoded once for all workers', () => {
    const list = new PinList({ namespace, workers })
    sent.length = 0
    for (let id = 1; id <= 3; id++) list.tell(workerNamed(id))
    expect(new Set(sent.map(({ command }) => command)).size).toBe(1)
  })
})
