import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isAlluxioError } from '../../core/index.ts'
import { HdfsRequest, isOfWebHdfs } from './request.ts'

const asked = (rest: string) => new HdfsRequest(`/webhdfs/v1${rest}`)

describe('a WebHDFS request', () => {
  test('has a path that is decoded once, and parameters without case', () => {
    const request = asked('/a%20b/c+d%2Fe%25?op=open&User.Name=x+y%2B&flag&n=1&n=2&=')
    expect(request.path).toBe('/a b/c+d/e%')
    expect(request.op).toBe('OPEN')
    expect([request.get('user.name'), request.get('flag'), request.get('none')]).toEqual([
      'x y+',
      '',
      undefined,
    ])
    expect([request.get('n'), request.all('n')]).toEqual(['1', ['1', '2']])
    expect(asked('').path).toBe('/')
    expect(asked('/?op=X').path).toBe('/')
  })

  test('is of this protocol only behind its prefix', () => {
    expect(['/webhdfs/v1', '/webhdfs/v1/', '/webhdfs/v1/x'].map(isOfWebHdfs)).toEqual([true, true, true])
    expect(['/webhdfs/v10', '/webhdfs', '/metrics', ''].map(isOfWebHdfs)).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  test('says of numbers, switches and modes what is wrong with them', () => {
    const request = asked('/?n=12&neg=-1&bad=1.5&b=TRUE&mode=1755&long=77777&empty=&null=null')
    expect([request.integer('n'), request.integer('empty'), request.integer('null')]).toEqual([
      12,
      undefined,
      undefined,
    ])
    expect([request.integer('neg', -1), request.boolean('b', false), request.boolean('empty', true)]).toEqual(
      [-1, true, true],
    )
    expect(request.mode('mode')).toBe(0o1755)
    for (const read of [
      () => request.integer('neg'),
      () => request.integer('bad'),
      () => request.boolean('n', false),
      () => request.mode('long'),
      () => request.required('empty'),
    ])
      expect(read).toThrow(/^Invalid value for webhdfs parameter/)
  })

  test('passes parameters on as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string())), (pairs) => {
        const known = pairs
          .map(([name, value]) => [name.toLowerCase(), value] as const)
          .filter(([name]) => name.isWellFormed())
        const query = new URLSearchParams(known.map(([name, value]): [string, string] => [name, value]))
        const passed = asked(`/?${query}`).queryWithout(new Set(['gone']))
        expect([...new URLSearchParams(passed)]).toEqual([...query].filter(([name]) => name !== 'gone'))
      }),
    )
  })

  test('of any form is taken or refused as INVALID_ARGUMENT', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (rest) => {
        try {
          expect(asked(`/${rest}`).path.startsWith('/')).toBe(true)
        } catch (error) {
          expect(isAlluxioError(error, 'INVALID_ARGUMENT')).toBe(true)
        }
      }),
    )
  })
})
