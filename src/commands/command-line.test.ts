import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { AlluxioError, ERROR_CODES, type ErrorCode } from '../core/index.ts'
import { joinFailures, reportFailure, usageError } from './failure.ts'
import { columns, formatDate, formatMode, percent } from './format.ts'
import { splitWords } from './index.ts'
import { nearestCommand, unknownCommand } from './nearest.ts'
import { type JsonMode, Output, type Shape } from './output.ts'
import { Progress } from './progress.ts'
import { merged } from './quickstart/site.ts'
import { findCommand } from './registry.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'alluxio-output-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function written(json: JsonMode, shape: Shape, use: (output: Output) => void): string {
  const file = join(folder, `${json}-${shape}`)
  const fd = openSync(file, 'w')
  use(new Output({ fd, json, shape }))
  closeSync(fd)
  return readFileSync(file, 'utf8')
}

describe('words', () => {
  test('common options are taken off wherever they stand, up to --', () => {
    expect(splitWords(['-Da=1', 'fs', '-D', 'b=2=3', 'ls', '--json', '/x', '--', '--json', '-Dc=4'])).toEqual(
      {
        rest: ['fs', 'ls', '/x', '--', '--json', '-Dc=4'],
        properties: ['a=1', 'b=2=3'],
        json: 'document',
        help: false,
      },
    )
    expect(splitWords(['fs', 'ls', '--json-lines', '--json', '-h'])).toMatchObject({
      json: 'lines',
      help: false,
      rest: ['fs', 'ls', '-h'],
    })
    expect(splitWords(['-h']).help).toBe(true)
    expect(splitWords(['fs', '--help']).help).toBe(true)
  })

  test('the longest command name wins, a topic is found too', () => {
    expect(findCommand(['fsadmin', 'report', 'ufs', 'x'])).toEqual({ id: 'fsadmin:report:ufs', argv: ['x'] })
    expect(findCommand(['fsadmin', 'report', '-h'])).toEqual({ id: 'fsadmin:report', argv: ['-h'] })
    expect(findCommand(['fs'])).toEqual({ id: 'fs', argv: [] })
    expect(findCommand(['fs', 'lss'])).toBeUndefined()
    expect(findCommand(['toString'])).toBeUndefined()
  })

  test.each([
    [['fs', 'lss'], 'fs ls'],
    [['fs', 'copyfromlocal'], 'fs copyFromLocal'],
    [['ls', '/'], 'fs ls'],
    [['stauts'], 'status'],
    [['fsadmin', 'reprot'], 'fsadmin report'],
    [['xyzzy'], undefined],
  ])('%p suggests %p', (words, nearest) => {
    expect(nearestCommand(words)).toBe(nearest)
  })

  test('an unknown command says so', () => {
    expect(unknownCommand(['fs', 'lss'])).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'fs lss is an unknown command.',
    })
  })
})

describe('output', () => {
  const two = (output: Output) => {
    output.line('heading')
    output.emit(
      () => ({ a: 1 }),
      () => 'one',
    )
    output.emit(
      () => ({ a: 2 }),
      () => undefined,
    )
    output.end()
  }

  test('text, one document, and lines', () => {
    expect(written('off', 'list', two)).toBe('heading\none\n')
    expect(JSON.parse(written('document', 'list', two))).toEqual([{ a: 1 }, { a: 2 }])
    expect(written('lines', 'list', two)).toBe('{"a":1}\n{"a":2}\n')
    expect(JSON.parse(written('document', 'list', (output) => output.end()))).toEqual([])
    expect(
      JSON.parse(
        written('document', 'object', (output) => {
          output.emit(
            () => ({ a: [1] }),
            () => '',
          )
          output.end()
        }),
      ),
    ).toEqual({ a: [1] })
  })

  test('long output keeps its order with raw bytes between', () => {
    const text = written('off', 'list', (output) => {
      for (let i = 0; i < 30_000; i++) output.line(String(i))
      output.bytes(Buffer.from('raw\n'))
      output.line('end')
      output.end()
    })
    expect(text.split('\n').slice(-4)).toEqual(['29999', 'raw', 'end', ''])
    expect(text.split('\n')).toHaveLength(30_003)
  })
})

describe('failures', () => {
  const report = (error: unknown, json: JsonMode = 'off') => {
    let text = ''
    const exit = reportFailure(error, json, (part) => {
      text += part
    })
    return { exit, text }
  }

  test.each(Object.keys(ERROR_CODES) as ErrorCode[])('%s has the exit status of the table', (code) => {
    expect(report(new AlluxioError(code, 'what happened'))).toMatchObject({ exit: ERROR_CODES[code].exit })
  })

  test('an error is one JSON object with code, reason, message, suggestions and retryable', () => {
    const error = new AlluxioError('UNAVAILABLE', 'no master', {
      reason: 'REFUSED',
      details: { port: 1, size: 2n },
    })
    const { exit, text } = report(error, 'document')
    expect(exit).toBe(69)
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'UNAVAILABLE',
        reason: 'REFUSED',
        message: 'no master',
        details: { port: 1, size: '2' },
        suggestions: expect.arrayContaining([expect.stringContaining('alluxio start local')]),
        retryable: true,
      },
    })
  })

  test('wrong words end with 64 and what to write', () => {
    expect(report(usageError('bad', ['write good']))).toEqual({ exit: 64, text: 'bad\n  write good\n' })
  })

  test('several failures keep the first code and all messages', () => {
    const joined = joinFailures([new AlluxioError('NOT_FOUND', 'a'), new AlluxioError('TIMEOUT', 'b')])
    expect(joined).toMatchObject({ code: 'NOT_FOUND', message: 'a\nb' })
    expect(joinFailures([new AlluxioError('TIMEOUT', 'b')]).details).toEqual({})
  })

  test('a foreign error is a bug, a broken pipe nothing', () => {
    expect(report(new TypeError('x is undefined'))).toMatchObject({
      exit: 70,
      text: expect.stringContaining('TypeError'),
    })
    expect(report(new AlluxioError('CANCELLED', '', { reason: 'BROKEN_PIPE' }))).toEqual({
      exit: 0,
      text: '',
    })
  })
})

describe('forms', () => {
  test('modes, dates, percentages, columns', () => {
    expect(formatMode(0o755, true)).toBe('drwxr-xr-x')
    expect(formatMode(0o640, false)).toBe('-rw-r-----')
    expect(formatMode(0o1777, true)).toBe('drwxrwxrwt')
    expect(formatDate(new Date(2019, 5, 14, 7, 2, 45, 248).getTime())).toBe('06-14-2019 07:02:45:248')
    expect([percent(1, 3), percent(3, 3), percent(0, 0)]).toEqual([33, 100, 100])
    expect(
      columns(
        [
          ['a', '1'],
          ['bcd', '100'],
        ],
        [1],
      ),
    ).toEqual(['a      1', 'bcd  100'])
  })
})

describe('settings of the quickstart', () => {
  const written = '# Written by alluxio quickstart. Yours.\na=1\n# a=0\nb=2\n'
  test('take over what was given, and leave a file of the user alone', () => {
    expect(merged(written, ['b=3', 'c=4=5'])).toBe(
      '# Written by alluxio quickstart. Yours.\na=1\n# a=0\nb=3\nc=4=5\n',
    )
    expect(merged(written, [])).toBe(written)
    expect(merged('a=1\n', ['a=2'])).toBe('a=1\n')
  })
})

describe('progress', () => {
  const run = (form: 'bar' | 'lines' | 'none', seconds: number) => {
    let now = 0
    const shown: string[] = []
    const progress = new Progress(
      { verb: 'Copying', form },
      { talk: (text) => shown.push(text), runtime: { monotonic: () => now } },
    )
    progress.expect(seconds * 1000)
    for (let i = 0; i < seconds * 1000; i += 10) {
      now += 10
      progress.add(10)
    }
    progress.clear()
    return shown
  }

  test('a bar comes after 500 ms, then every 100 ms, and goes', () => {
    expect(run('bar', 0.4)).toEqual([])
    const shown = run('bar', 1)
    expect(shown[0]).toContain('Copying [############............]  50%')
    expect(shown).toHaveLength(7)
    expect(shown.at(-1)).toBe('\r\x1b[K')
  })

  test('without a terminal a line every 30 s; beside JSON nothing', () => {
    expect(run('lines', 65)).toHaveLength(2)
    expect(run('none', 65)).toEqual([])
  })
})
