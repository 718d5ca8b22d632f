/** The clients that people have: hdfs of PyPI, fsspec with pyarrow and pandas, webhdfs of npm. */
import { once } from 'node:events'
import { Readable, type Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { ifAvailable } from '../../../support/servers/index.ts'
import { type Python, pythonWith } from '../../../support/servers/python.ts'

const user = process.env.USER ?? 'root'
const { server, reason } = await ifAvailable(async () => {
  const python = await pythonWith('webhdfs-clients', [
    ...['hdfs==2.7.3', 'fsspec==2025.9.0', 'requests==2.32.5', 'pyarrow==21.0.0', 'pandas==2.3.3'],
  ])
  return { python, stop: async () => {} }
})
const python = (server as { readonly python: Python } | undefined)?.python

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true })
}, 120_000)
afterAll(() => cluster?.dispose())

const suite = reason === undefined ? describe : describe.skip
suite(`Python${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('hdfs', async () => {
    const printed = await python!.execute(
      `
import os, sys, tempfile, hdfs
c = hdfs.InsecureClient('http://' + sys.argv[1], user=sys.argv[2], root='/py')
c.makedirs('a/b', permission=755)
c.write('a/f.txt', b'one\\n' * 1000, overwrite=True, blocksize=1048576, permission=644)
c.write('a/f.txt', b'two\\n', append=True)
with c.write('a/text.csv', encoding='utf-8') as w: w.write('ž,1\\n')
with c.read('a/f.txt') as r: data = r.read()
assert data == b'one\\n' * 1000 + b'two\\n', len(data)
with c.read('a/f.txt', offset=4000, length=3) as r: assert r.read() == b'two'
with c.read('a/text.csv', encoding='utf-8', delimiter='\\n') as r: assert list(r) == ['ž,1', '']
assert sorted(c.list('a')) == ['b', 'f.txt', 'text.csv']
assert c.status('a/none', strict=False) is None
assert c.status('a/f.txt')['length'] == 4004
assert c.content('a')['fileCount'] == 2
assert c.checksum('a/f.txt')['length'] == 28
assert c.acl_status('a')['owner'] == sys.argv[2]
c.set_permission('a/f.txt', 600); c.set_times('a/f.txt', modification_time=1600000000000); c.set_replication('a/f.txt', 2)
assert c.status('a/f.txt')['permission'] == '600'
c.rename('a/f.txt', 'a/b/g.txt')
assert [n for n, *_ in c.walk('')] == ['/py', '/py/a', '/py/a/b'], list(c.walk(''))
d = tempfile.mkdtemp()
for i in range(20): open(os.path.join(d, 'x%d' % i), 'wb').write(os.urandom(10000 + i))
c.upload('up', d, n_threads=4)
down = c.download('up', os.path.join(tempfile.mkdtemp(), 'down'), n_threads=4)
for i in range(20): assert open(os.path.join(d, 'x%d' % i), 'rb').read() == open(os.path.join(down, 'x%d' % i), 'rb').read()
try: c.write('a/text.csv', b'x'); raise SystemExit('overwritten')
except hdfs.HdfsError as e: assert 'exists' in str(e), e
try: c.delete('a'); raise SystemExit('deleted')
except hdfs.HdfsError as e: pass
assert c.delete('a', recursive=True) and not c.delete('a')
print('ok')
`,
      [cluster.webHdfs, user],
    )
    expect(printed.trim()).toBe('ok')
  }, 60_000)

  test('fsspec, pyarrow and pandas', async () => {
    const printed = await python!.execute(
      `
import sys, fsspec, pandas as pd, pyarrow as pa, pyarrow.parquet as pq, pyarrow.dataset as ds
from pyarrow.fs import PyFileSystem, FSSpecHandler
host, port = sys.argv[1].split(':'); user = sys.argv[2]
fs = fsspec.filesystem('webhdfs', host=host, port=int(port), user=user)
fs.mkdirs('/pq')
t = pa.table({'n': list(range(100000)), 's': ['row %d' % i for i in range(100000)]})
arrow = PyFileSystem(FSSpecHandler(fs))
pq.write_table(t, '/pq/t.parquet', filesystem=arrow, row_group_size=10000)
assert pq.read_table('/pq/t.parquet', filesystem=arrow).equals(t)
assert pq.read_table('/pq/t.parquet', columns=['n'], filesystem=arrow).num_rows == 100000
ds.write_dataset(t.slice(0, 1000), '/pq/parts', format='parquet', filesystem=arrow, max_rows_per_file=100, max_rows_per_group=100)
assert ds.dataset('/pq/parts', format='parquet', filesystem=arrow).count_rows() == 1000
options = {'host': host, 'port': int(port), 'user': user}
frame = pd.DataFrame({'a': [1, 2, 3], 'b': ['x', 'y', 'ž']})
frame.to_csv('webhdfs:///pd/f.csv', index=False, storage_options=options)
assert pd.read_csv('webhdfs:///pd/f.csv', storage_options=options).equals(frame)
frame.to_parquet('webhdfs:///pd/f.parquet', storage_options=options)
assert pd.read_parquet('webhdfs:///pd/f.parquet', storage_options=options).equals(frame)
with fs.open('/big', 'wb', block_size=2**20) as f:
  for i in range(10): f.write(bytes([i]) * 700000)
with fs.open('/big', 'rb', block_size=2**18) as f:
  f.seek(6999990); assert f.read() == bytes([9]) * 10
  f.seek(700000 - 5); assert f.read(10) == bytes([0]) * 5 + bytes([1]) * 5
assert fs.cat_file('/big', start=10, end=20) == bytes(10) and fs.info('/big')['size'] == 7000000
assert sorted(p.split('/')[-1] for p in fs.ls('/pd', detail=False)) == ['f.csv', 'f.parquet']
assert len(fs.find('/pq/parts')) == 10 and fs.exists('/pq') and not fs.exists('/none')
assert fs.ukey('/big')['bytes'] and fs.content_summary('/pq')['fileCount'] == 11 and fs.home_directory() == '/user/' + user
fs.mv('/pd/f.csv', '/pd/g.csv'); fs.chmod('/pd/g.csv', '600'); fs.rm('/pq', recursive=True)
try: fs.open('/none')
except FileNotFoundError: print('ok')
`,
      [cluster.webHdfs, user],
    )
    expect(printed.trim()).toBe('ok')
  }, 120_000)
})

interface NpmClient {
  createWriteStream(path: string, append?: boolean): Writable
  createReadStream(path: string, options?: object): Readable
  [method: string]: (...args: never[]) => unknown
}

test('webhdfs of npm', async () => {
  const { default: WebHdfs } = (await import('webhdfs')) as unknown as {
    default: { createClient(o: object): NpmClient }
  }
  const [host, port] = cluster.webHdfs.split(':')
  const client = WebHdfs.createClient({ user, host, port: Number(port), path: '/webhdfs/v1' })
  const call = (method: string, ...args: unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const done = (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value))
      ;(client[method] as (...all: unknown[]) => void).call(client, ...args, done)
    })
  const bytes = patternBytes(21, 3_000_000)
  const write = async (path: string, part: Buffer, append = false) => {
    const stream = client.createWriteStream(path, append)
    Readable.from([part]).pipe(stream)
    await once(stream, 'finish')
  }
  await call('mkdir', '/npm/dir')
  await write('/npm/f', bytes)
  const stream = client.createReadStream('/npm/f')
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'finish')
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  expect(await call('readdir', '/npm')).toMatchObject([
    { pathSuffix: 'dir', type: 'DIRECTORY' },
    { pathSuffix: 'f', type: 'FILE', length: bytes.length },
  ])
  await call('rename', '/npm/f', '/npm/dir/g')
  await call('chmod', '/npm/dir/g', '0600')
  expect(await call('stat', '/npm/dir/g')).toMatchObject({ permission: '600', length: bytes.length })
  await expect(call('stat', '/npm/f')).rejects.toThrow(/does not exist/)
  await call('rmdir', '/npm/dir', true)
  await expect(call('stat', '/npm/dir')).rejects.toThrow(/does not exist/)
}, 60_000)
