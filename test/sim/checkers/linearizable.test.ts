import { describe, expect, test } from '@jest/globals'
import { type Ask, History, type Told } from '../workload/history.ts'
import { linearizable } from './linearizable.ts'
import { type Namespace, namespaceKey, namespaceSteps } from './namespace-model.ts'

/** A history told as calls and returns in order: `+name` calls, `-name` returns. */
function verdict(script: readonly string[], operations: Record<string, readonly [Ask, Told]>): string {
  const history = new History(() => 0)
  history.lengths.set(1, 1)
  history.lengths.set(2, 2)
  const open = new Map<string, ReturnType<History['call']>>()
  for (const line of script) {
    const name = line.slice(1)
    const [ask, told] = operations[name]!
    if (line[0] === '+') open.set(name, history.call(name, ask))
    else history.returned(open.get(name)!, told)
  }
  const initial: Namespace = new Map([['/r', 'dir']])
  const steps = namespaceSteps(history.operations, history.lengths)
  return linearizable(steps, { initial, key: namespaceKey, limit: 10_000 }).kind
}

const OK: Told = { kind: 'ok' }
const failed = (code: 'NOT_FOUND' | 'ALREADY_EXISTS' | 'UNAVAILABLE'): Told => ({
  kind: 'error',
  code,
  message: '',
})
const create = (path: string, tag: number): Ask => ({ kind: 'create', path, tag, overwrite: false })
const complete = (path: string, tag: number): Ask => ({ kind: 'complete', path, tag, through: false })
const stat = (path: string): Ask => ({ kind: 'stat', path })
const rename = (path: string, to: string): Ask => ({ kind: 'rename', path, to })
const file = (length: number): Told => ({ kind: 'seen', entry: { folder: false, completed: true, length } })

const write = { c: [create('/r/a', 1), OK], f: [complete('/r/a', 1), OK] } as const

describe('linearizable namespace', () => {
  test('accepts one client at a time', () => {
    const operations = { ...write, s: [stat('/r/a'), file(1)] } as const
    expect(verdict(['+c', '-c', '+f', '-f', '+s', '-s'], operations)).toBe('ok')
  })

  test('refuses a lost create', () => {
    const operations = { ...write, s: [stat('/r/a'), failed('NOT_FOUND')] } as const
    expect(verdict(['+c', '-c', '+f', '-f', '+s', '-s'], operations)).toBe('illegal')
  })

  test('accepts either answer to a read beside the create', () => {
    for (const told of [file(1), failed('NOT_FOUND')]) {
      const operations = { ...write, s: [stat('/r/a'), told] } as const
      expect(verdict(['+s', '+c', '-c', '+f', '-f', '-s'], operations)).toBe('ok')
    }
  })

  test('refuses going back and forth', () => {
    const operations = {
      ...write,
      s: [stat('/r/a'), file(1)],
      t: [stat('/r/a'), failed('NOT_FOUND')],
    } as const
    expect(verdict(['+c', '-c', '+f', '+s', '-s', '+t', '-t', '-f'], operations)).toBe('illegal')
  })

  test('refuses a rename seen under both names', () => {
    const operations = {
      ...write,
      m: [rename('/r/a', '/r/b'), OK],
      s: [stat('/r/b'), file(1)],
      t: [stat('/r/a'), file(1)],
    } as const
    const start = ['+c', '-c', '+f', '-f', '+m']
    expect(verdict([...start, '+s', '-s', '+t', '-t', '-m'], operations)).toBe('illegal')
    expect(verdict([...start, '+t', '-t', '+s', '-s', '-m'], operations)).toBe('ok')
  })

  test('lets an unknown outcome apply late, once, or never', () => {
    const missing = [stat('/r/a'), failed('NOT_FOUND')] as const
    const gone = [{ kind: 'delete', path: '/r/a', recursive: false }, failed('UNAVAILABLE')] as const
    const operations = { ...write, d: gone, s: [stat('/r/a'), file(1)], t: missing, u: missing } as const
    const start = ['+c', '-c', '+f', '-f', '+d', '-d']
    expect(verdict([...start, '+s', '-s', '+t', '-t', '+u', '-u'], operations)).toBe('ok')
    expect(verdict([...start, '+t', '-t', '+s', '-s'], operations)).toBe('illegal')
    expect(verdict([...start, '+s', '-s'], operations)).toBe('ok')
  })

  test('refuses two winners of one path', () => {
    const operations = { a: [create('/r/a', 1), OK], b: [create('/r/a', 2), OK] } as const
    expect(verdict(['+a', '+b', '-a', '-b'], operations)).toBe('illegal')
  })

  test('judges a listing as one instant', () => {
    const listed = (...names: string[]): Told => ({
      kind: 'listed',
      entries: new Map(names.map((name) => [name, { folder: true, completed: true, length: 0 }])),
    })
    const mkdir = (path: string): Ask => ({ kind: 'mkdir', path })
    const list: Ask = { kind: 'list', path: '/r' }
    const base = { x: [mkdir('/r/x'), OK], y: [mkdir('/r/y'), OK] } as const
    const script = ['+l', '+x', '-x', '+y', '-y', '-l']
    expect(verdict(script, { ...base, l: [list, listed('x')] })).toBe('ok')
    expect(verdict(script, { ...base, l: [list, listed('x', 'y')] })).toBe('ok')
    expect(verdict(script, { ...base, l: [list, listed('y')] })).toBe('illegal')
  })
})
