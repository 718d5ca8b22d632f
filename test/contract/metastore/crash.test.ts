/** LMDB under kill -9 and under a disk that fails: what was acknowledged is there, what was not is whole or absent. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { systemRuntime } from '../../../src/core/index.ts'
import { openLmdbStore } from '../../../src/metastore/index.ts'

const script = join(import.meta.dirname, 'commits.ts')
const folders: string[] = []
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'metastore-crash-'))
  folders.push(made)
  return made
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

/** Lets a process commit until `enough` acknowledgements, then kills it. The last number that it acknowledged, or -1. */
function commitAndKill(path: string, from: number, enough: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, path, String(from)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    let lines = 0
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      lines += chunk.toString().split('\n').length - 1
      if (lines >= enough) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('exit', () => {
      const numbers = text.split('\n').slice(0, -1)
      resolve(numbers.length === 0 ? -1 : Number(numbers[numbers.length - 1]))
    })
  })
}

test('every acknowledged commit is there after kill -9, each batch whole', async () => {
  const path = folder()
  let from = 0
  for (let round = 0; round < 4; round++) {
    const last = await commitAndKill(path, from, 20 + round * 37)
    expect(last).toBeGreaterThanOrEqual(from)
    const store = await openLmdbStore(
      { folder: path, reserveBytes: 0, onFatal: rethrow },
      { runtime: systemRuntime },
    )
    const everything = { start: Buffer.from([0]), end: Buffer.alloc(7, 0xff) }
    const inodes = [...store.range('inode', everything)].map((row) => row.value.toString())
    const edges = [...store.range('edge', everything)].map((row) => row.value.toString())
    expect(inodes.length).toBeGreaterThanOrEqual(last + 1)
    expect(inodes.length).toBeLessThanOrEqual(last + 2)
    expect(inodes).toEqual(inodes.map((_, n) => `a${n}`))
    expect(edges).toEqual(inodes.map((_, n) => `b${n}`))
    expect(store.epoch).toBe((round + 1) * 2)
    from = inodes.length
    await store.close()
  }
})

function rethrow(error: Error): never {
  throw error
}

const strace = ['/usr/bin/strace', '/usr/local/bin/strace'].find((path) => existsSync(path))

;(strace === undefined ? test.skip : test)(
  'a write of the journal that fails acknowledges nothing and ends the process',
  async () => {
    const path = folder()
    // The files exist then, and only commits write to the journal.
    await commitAndKill(path, 0, 3)
    const only = ['-P', join(path, 'journal.0'), '-P', join(path, 'journal.1')]
    const inject = ['-f', '-qq', '-o', '/dev/null', ...only, '-e', 'inject=pwrite64:error=EIO:when=6+']
    const outcome = await new Promise<{ code: number | null; acknowledged: number; said: string }>(
      (resolve, reject) => {
        const child = spawn(strace!, [...inject, process.execPath, script, path], {
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        let acknowledged = 0
        let said = ''
        child.stdout.on('data', (chunk: Buffer) => {
          acknowledged += chunk.toString().split('\n').length - 1
        })
        child.stderr.on('data', (chunk: Buffer) => {
          said += chunk.toString()
        })
        child.on('error', reject)
        child.on('exit', (code) => resolve({ code, acknowledged, said }))
      },
    )
    expect(outcome.said).toContain('fatal FLUSH_FAILED')
    expect(outcome.code).toBe(3)
    // strace counts the calls of each thread of the pool (4) by itself.
    expect(outcome.acknowledged).toBeLessThan(4 * 6)
    const store = await openLmdbStore(
      { folder: path, reserveBytes: 0, onFatal: rethrow },
      { runtime: systemRuntime },
    )
    const everything = { start: Buffer.from([0]), end: Buffer.alloc(7, 0xff) }
    expect([...store.range('inode', everything)].length).toBeGreaterThanOrEqual(outcome.acknowledged)
    await store.close()
  },
)
