import { afterEach, beforeEach } from '@jest/globals'
import type { BlockStore } from '../../src/store/index.ts'
import { openStore, temporaryFolder } from './block-store.ts'

/** A folder of memory and block stores for each test, which stop and go with it. To be called at the top of a test file. */
export function storesOfEachTest() {
  let folder: ReturnType<typeof temporaryFolder>
  let opened: BlockStore[] = []
  beforeEach(() => {
    folder = temporaryFolder('/dev/shm')
  })
  afterEach(async () => {
    for (const store of opened) await store.stop()
    opened = []
    folder[Symbol.dispose]()
  })
  return {
    get folder(): string {
      return folder.path
    },
    async open(...given: Parameters<typeof openStore>): ReturnType<typeof openStore> {
      const made = await openStore(...given)
      opened.push(made.store)
      return made
    },
  }
}
