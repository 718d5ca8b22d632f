import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from '@jest/globals'
import { mapFile } from './map.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const linux = process.platform === 'linux' ? test : test.skip

linux('maps of any size are given back when their views are gone, and not before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'alluxio-map-'))
  const mapped = () => readFileSync('/proc/self/maps', 'utf8').split(folder).length - 1
  try {
    const views: Uint8Array[] = []
    for (let i = 0; i < 40; i++) {
      const path = join(folder, String(i))
      const bytes = Buffer.alloc(i % 2 === 0 ? 4096 : 2 ** 20, i)
      writeFileSync(path, bytes)
      const fd = openSync(path, 'r')
      views.push(mapFile(fd, bytes.length, path).subarray(1000, 1001))
      closeSync(fd)
    }
    expect(mapped()).toBe(40)
    gc()
    await pause(20)
    expect(views.map((view) => view[0])).toEqual(views.map((_, i) => i))
    views.length = 0
    for (let i = 0; i < 100 && mapped() > 0; i++) {
      gc()
      await pause(20)
    }
    expect(mapped()).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
