/** Our block files in the hands of pyarrow and DuckDB: zero copies, full validation, the same bytes. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import {
  assembleBlock,
  BlockFileWriter,
  FileDisk,
  openBlock,
  PartialBlock,
  sealTime,
} from '../../../src/arrow/index.ts'
import { pattern, temporaryFolder } from '../../support/block-store.ts'

const PACKAGES = ['pyarrow==21.0.0', 'duckdb==1.3.2']
const cache = process.env.ALLUXIO_TEST_CACHE ?? join(homedir(), '.cache', 'alluxio-test')
const venv = join(cache, 'arrow-venv')
const python = join(venv, 'bin', 'python')

/** @returns why pyarrow and DuckDB cannot be had, or undefined when they are there */
function install(): string | undefined {
  const ready = join(venv, PACKAGES.join('_'))
  if (existsSync(ready)) return undefined
  try {
    mkdirSync(cache, { recursive: true })
    execFileSync('python3', ['-m', 'venv', venv], { stdio: 'pipe' })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]
    execFileSync(python, pip, { stdio: 'pipe', timeout: 240_000 })
    writeFileSync(ready, '')
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer }
    return stderr?.toString().trim().split('\n').at(-1) || message
  }
}

const missing = install()
if (missing !== undefined) {
  process.stderr.write(`SKIPPED test/contract/arrow: pyarrow and duckdb cannot be installed: ${missing}\n`)
}
const withPython = missing === undefined ? test : test.skip

const hex = (n: number) => n.toString(16).padStart(16, '0')

withPython(
  'pyarrow and DuckDB read every shape of block',
  async () => {
    using folder = temporaryFolder()
    const disk = new FileDisk()
    const blocks: object[] = []
    const lengths = [
      1, 64, 65, 128, 200, 256, 500, 512, 1000, 1024, 2000, 2048, 4000, 4096, 4097, 65_535, 65_536, 1_000_001,
    ]
    for (const length of lengths) {
      const source = join(folder.path, `${length}.bytes`)
      writeFileSync(source, pattern(length, length))
      for (const way of ways(disk, length)) {
        const path = join(folder.path, `${length}.${way.name}.arrow`)
        await way.write(path)
        const handle = openBlock(disk, path, { trustSeal: true })
        expect(handle.trusted).toBe(true)
        const { blockId, fileId, sealedMs, bootTag } = handle.metadata
        const tail = execTail(disk, path)
        blocks.push({
          ...{ path, source },
          ...{ width: handle.layout.width, rows: handle.layout.rows, bodyOffset: handle.layout.bodyOffset },
          metadata: {
            'alluxio.block': hex(blockId),
            'alluxio.file': hex(fileId),
            'alluxio.length': hex(length),
            'alluxio.format': hex(1),
            'alluxio.sealed': hex((sealedMs / 1000) * 512),
            'alluxio.boot': bootTag,
            'alluxio.check': tail,
          },
        })
        handle.close()
      }
    }
    const script = join(dirname(fileURLToPath(import.meta.url)), 'check_blocks.py')
    const input = blocks.map((block) => JSON.stringify(block)).join('\n')
    const run = spawnSync(python, [script], { input, encoding: 'utf8', timeout: 120_000 })
    expect(run.stderr).toBe('')
    const answers = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(answers).toHaveLength(blocks.length)
    for (const [i, block] of blocks.entries()) {
      const { bodyOffset, rows } = block as { bodyOffset: number; rows: number }
      expect(answers[i]).toEqual({ rows, address: bodyOffset % 4096 })
    }
  },
  180_000,
)

/** The checksum of the footer as the file states it. */
function execTail(disk: FileDisk, path: string): string {
  const { size } = disk.facts(path)
  const bytes = Buffer.alloc(1024)
  const file = disk.open(path, 'read')
  const n = file.readSync(bytes, Math.max(0, size - 674))
  file.close()
  const text = bytes.toString('latin1', 0, n)
  return /([0-9a-f]{16})[^0-9a-f]*alluxio\.check/.exec(text)![1]!
}

/** Every way in which a block file comes to be. */
function ways(disk: FileDisk, length: number) {
  const bytes = pattern(length, length)
  const metadata = {
    blockId: length * 2 ** 20,
    fileId: length,
    length,
    sealedMs: sealTime(Date.now()),
    bootTag: disk.bootTag,
  }
  const stream = async (path: string, synchronous: boolean) => {
    const writer = new BlockFileWriter(
      { ...metadata, sizeHint: length, synchronous },
      { file: disk.open(path, 'create'), bootTag: disk.bootTag, now: Date.now },
    )
    for (let at = 0; at < length; at += 99_999) await writer.append(bytes.subarray(at, at + 99_999))
    await writer.seal(!synchronous)
  }
  const all = [
    { name: 'memory', write: (path: string) => stream(path, true) },
    { name: 'disk', write: (path: string) => stream(path, false) },
  ]
  if (length < 65_536) {
    all.push({
      name: 'small',
      async write(path) {
        const file = disk.open(path, 'create')
        file.writeSync(assembleBlock(metadata, bytes), 0)
        file.setModified(metadata.sealedMs)
        file.close()
      },
    })
  } else {
    all.push({
      name: 'partial',
      async write(path) {
        const modules = { disk, now: Date.now }
        const options = { ...metadata, extentBytes: 65_536, synchronous: true, salt: 7 }
        const partial = PartialBlock.create(options, modules, { data: path, side: `${path}.side` })
        for (let extent = partial.extents - 1; extent >= 0; extent--) {
          const pages = Buffer.alloc(Math.ceil(partial.extentLength(extent) / 4096) * 4096)
          bytes.copy(pages, 0, extent * 65_536, extent * 65_536 + partial.extentLength(extent))
          await partial.writeExtent(extent, pages)
        }
        await partial.seal()
        partial.close()
      },
    })
  }
  return all
}
