import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type * as Koffi from 'koffi'
import { widenPipe } from './pipe.ts'

const GET_PIPE_SIZE = 1032

;(process.platform === 'linux' ? test : test.skip)('a pipe holds a MiB, a file is left alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipe-'))
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const fcntl = koffi.load('libc.so.6').func('int fcntl(int, int, int)')
  execFileSync('mkfifo', [join(folder, 'fifo')])
  const fifo = openSync(join(folder, 'fifo'), constants.O_RDWR)
  const file = openSync(join(folder, 'file'), 'w')
  try {
    const before = fcntl(fifo, GET_PIPE_SIZE, 0)
    widenPipe(fifo)
    widenPipe(file)
    expect(fcntl(fifo, GET_PIPE_SIZE, 0)).toBe(2 ** 20)
    expect(before).toBeLessThan(2 ** 20)
  } finally {
    closeSync(fifo)
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
})
