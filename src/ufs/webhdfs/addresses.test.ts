import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { parseUfsUri } from '../uri.ts'
import { nameNodesOf } from './addresses.ts'
import { parseSite } from './site-xml.ts'

const folder = mkdtempSync(join(tmpdir(), 'alluxio-hdfs-site-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, properties: Readonly<Record<string, string>>): string {
  const path = join(folder, name)
  const lines = Object.entries(properties).map(
    ([key, value]) =>
      `<property>\n <name> ${key} </name>\n <final>true</final><value>${value}</value></property>`,
  )
  writeFileSync(path, `<?xml version="1.0"?><configuration>${lines.join('')}</configuration>`)
  return path
}

const KEY = 'alluxio.underfs.hdfs'
const PAIR = file('pair.xml', {
  'dfs.ha.namenodes.ns': 'a, b',
  'dfs.namenode.http-address.ns.a': 'nn1.example.org:50070',
  'dfs.namenode.rpc-address.ns.b': 'nn2.example.org:8020',
  'dfs.namenode.https-address.ns.a': 'nn1.example.org:50470',
  'dfs.namenode.https-address.ns.b': '0.0.0.0:50471',
})
const SINGLE = file('single.xml', {
  'fs.defaultFS': 'hdfs://main.example.org:8020',
  'dfs.namenode.http-address': '0.0.0.0:1234',
})

async function addresses(uri: string, options: Record<string, string> = {}): Promise<string[]> {
  const found = await nameNodesOf(parseUfsUri(uri), options)
  return found.map(({ text, prefix }) => (prefix === '/webhdfs/v1' ? text : `${text} ${prefix}`))
}

describe('addresses of NameNodes', () => {
  test.each([
    ['hdfs://host:8020/x', {}, ['http://host:9870']],
    ['hdfs://host/x', { [`${KEY}.http.port`]: '50070' }, ['http://host:50070']],
    ['webhdfs://host:50070/x', {}, ['http://host:50070']],
    ['webhdfs://host', {}, ['http://host:9870']],
    ['swebhdfs://host/x', {}, ['https://host:9871']],
    [
      'hdfs://ns/x',
      { [`${KEY}.namenodes`]: 'http://a:1, b, https://c' },
      ['http://a:1', 'http://b:9870', 'https://c:9871'],
    ],
    [
      'hdfs://gw/',
      { [`${KEY}.namenodes`]: 'https://gw:8443/gateway/main' },
      ['https://gw:8443 /gateway/main/webhdfs/v1'],
    ],
    ['hdfs://gw/', { [`${KEY}.namenodes`]: 'http://[::1]:80/webhdfs/v1/' }, ['http://[::1]:80']],
    [
      'hdfs://ns/x',
      { [`${KEY}.configuration`]: PAIR },
      ['http://nn1.example.org:50070', 'http://nn2.example.org:9870'],
    ],
    [
      'swebhdfs://ns/x',
      { [`${KEY}.configuration`]: PAIR },
      ['https://nn1.example.org:50470', 'https://nn2.example.org:50471'],
    ],
    ['hdfs:///x', { [`${KEY}.configuration`]: `${SINGLE}:${PAIR}` }, ['http://main.example.org:1234']],
    ['hdfs://main.example.org:8020/', { [`${KEY}.configuration`]: SINGLE }, ['http://main.example.org:1234']],
    ['hdfs://other:8020/', { [`${KEY}.configuration`]: SINGLE }, ['http://other:9870']],
  ])('%s %j', async (uri, options, expected) => {
    expect(await addresses(uri, options as unknown as Record<string, string>)).toEqual(expected)
  })

  test.each([
    ['hdfs:///x', {}, /names no NameNode.*alluxio.underfs.hdfs.namenodes/],
    ['hdfs://ns/', { [`${KEY}.namenodes`]: 'http://user:pw@host' }, /no address of a NameNode/],
    ['hdfs://ns/', { [`${KEY}.configuration`]: join(folder, 'none.xml') }, /none.xml/],
    ['hdfs://ns/', { [`${KEY}.http.port`]: 'x' }, /http.port/],
  ])('%s %j is refused', async (uri, options, message) => {
    await expect(addresses(uri, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })
})

test('files of Hadoop: comments, entities, references, the later file wins', () => {
  const property = (name: string, value: string) =>
    `<property><name>${name}</name><value>${value}</value></property>`
  const site = parseSite([
    `<configuration>${property('host', 'a&amp;b&#x41;')}<!-- ${property('gone', '1')} -->${property('ring', '${ring}')}</configuration>`,
    `<configuration>${property('url', 'http://${host}:${port}/')}${property('port', '1')}${property('port', '2')}</configuration>`,
  ])
  expect(Object.fromEntries(site)).toEqual({
    host: 'a&bA',
    ring: '${ring}',
    url: 'http://a&bA:2/',
    port: '2',
  })
})
