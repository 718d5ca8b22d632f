/** Index pages as servers write them. nginx and Python are asked themselves in test/contract/ufs/http.test.ts. */
import { describe, expect, test } from '@jest/globals'
import { htmlIndex, jsonIndex, unescaped } from './index-page.ts'

const TITLES = ['Index of', 'Directory listing for', 'listing directory', 'Directory:']
const base = new URL('http://host/pub/data/')
const shape = (html: string) =>
  htmlIndex(html, base, TITLES)?.map(({ name, directory }) => name + (directory ? '/' : ''))

describe('HTML', () => {
  test('Apache 2.4 with fancy indexing: sorts and the parent are left out, the ellipsis is no name', () => {
    const html = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN"><html><head><title>Index of /pub/data</title></head><body>
<h1>Index of /pub/data</h1><table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/pub/">Parent Directory</a></td><td>&nbsp;</td></tr>
<tr><td><a href="a%20%26%20b.txt">a &amp; b.txt</a></td><td align="right">1.2K</td></tr>
<tr><td><a href="a-name-that-is-too-long-for-the-column.parquet">a-name-that-is-too-long-f..&gt;</a></td></tr>
<tr><td><a href="sub/">sub/</a></td></tr></table></body></html>`
    expect(shape(html)).toEqual(['a & b.txt', 'a-name-that-is-too-long-for-the-column.parquet', 'sub/'])
  })

  test('absolute links of other servers (Jetty, serve-index), single quotes and none', () => {
    const links = `<a href="/pub/data/one">1</a><a class='x' href='/pub/data/two/'>2</a><a href=three>3</a><a href="/pub/other">4</a>`
    expect(shape(`<title>Directory: /pub/data/</title>${links}`)).toEqual(['one', 'two/', 'three'])
    expect(shape(`<title>listing directory /pub</title>${links}`)).toHaveLength(3)
    expect(shape(`<title>x</title><h1><b>Index of</b> /</h1>${links}`)).toHaveLength(3)
  })

  test('a page that is no index, and an index of nothing', () => {
    expect(shape('<title>Welcome to nginx!</title><a href="x">x</a>')).toBeUndefined()
    expect(shape('not even HTML')).toBeUndefined()
    expect(shape('<title>Index of /</title><a href="../">../</a>')).toEqual([])
  })

  test('names that no path can hold are left out', () => {
    const links = [
      'a%2Fb',
      '%2e%2e',
      '.',
      '%00',
      '%ff',
      'fine',
      'fine',
      'javascript:alert(1)',
      '//other/x',
      'x/y',
    ]
    const html = links.map((link) => `<a href="${link}">x</a>`).join('')
    expect(shape(`<title>Index of /</title>${html}`)).toEqual(['fine'])
  })
})

test('JSON of nginx and of Caddy; other JSON is no index', () => {
  const nginx = '[{"name":"a b","type":"directory","mtime":"x"},{"name":"c%20d","type":"file","size":3}]'
  expect(jsonIndex(nginx)).toEqual([
    { name: 'a b', directory: true },
    { name: 'c%20d', directory: false },
  ])
  const caddy = '[{"name":"sub/","size":1,"url":"./sub/","is_dir":true},{"name":"f","is_dir":false}]'
  expect(jsonIndex(caddy)).toEqual([
    { name: 'sub', directory: true },
    { name: 'f', directory: false },
  ])
  for (const other of ['{}', '[1]', '[{"name":"x"}]', '[', 'null']) expect(jsonIndex(other)).toBeUndefined()
})

test('character references are resolved once', () => {
  expect(unescaped('a &amp;lt; &#39;b&#x27; &quot;&unknown; &#x110000;')).toBe(
    "a &lt; 'b' \"&unknown; &#x110000;",
  )
})
