/** Other people's clients, unchanged: boto3, s3fs, pandas, pyarrow, DuckDB, the AWS CLI and rclone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { debianPrograms, programPath } from '../../../support/servers/debian.ts'
import { ifAvailable } from '../../../support/servers/index.ts'
import { complete } from '../../../support/servers/process.ts'
import { type Python, pythonWith } from '../../../support/servers/python.ts'
import { keyOf } from './client.ts'

const AWS_CLI = ['awscli==1.46.3']
const LIBRARIES = [
  's3fs==2026.9.0',
  'boto3==1.43.117',
  'awscrt==0.38.0',
  'pandas==3.1.1',
  'pyarrow==26.0.1',
  'duckdb==1.5.5',
  'duckdb-extension-httpfs==1.5.5',
]

const { server, reason } = await ifAvailable(async () => {
  const [python, cli] = [await pythonWith('s3', LIBRARIES), await pythonWith('awscli', AWS_CLI)]
  await debianPrograms(['rclone'], ['rclone'])
  return { python, cli, stop: async () => {} }
})
const { python, cli } = (server ?? {}) as { readonly python: Python; readonly cli: Python }

let cluster: Cluster
let env: Record<string, string>
let folder: string

beforeAll(async () => {
  cluster = await Cluster.start({ proxy: true, memory: '512MB' })
  const fs = await cluster.connect()
  const key = await keyOf(fs, (await fs.getStatus('/')).owner)
  env = {
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: `http://${cluster.s3}`,
    ENDPOINT: cluster.s3,
  }
  await fs.mkdir('/bucket')
  folder = mkdtempSync(join(tmpdir(), 's3-clients-'))
  mkdirSync(join(folder, 'sub/deep'), { recursive: true })
  writeFileSync(join(folder, 'large'), patternBytes(1, 20_000_000))
  writeFileSync(join(folder, 'empty'), '')
  for (const name of ['f 1 +é', 'f&2', 'deep/x']) writeFileSync(join(folder, 'sub', name), name)
}, 120_000)

afterAll(async () => {
  await cluster?.dispose()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

const suite = reason === undefined ? describe : describe.skip
suite(`clients${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const run = (source: string) => python.execute(source, [], env)

  test('boto3: transfers in parts, presigned URLs, checksums, a path that is not ASCII', async () => {
    const told = await run(`
import boto3, io, os, urllib.request
from botocore.config import Config
s3 = boto3.client('s3', config=Config(signature_version='s3v4', retries={'max_attempts': 1}))
name = 'x/y z+&?é\\u4e2d'
s3.put_object(Bucket='bucket', Key=name, Body=b'hello', Metadata={'a': 'b'}, ContentType='text/x')
o = s3.get_object(Bucket='bucket', Key=name)
assert o['Body'].read() == b'hello' and o['Metadata'] == {'a': 'b'} and o['ContentType'] == 'text/x', o
for algorithm in ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']:
    s3.put_object(Bucket='bucket', Key='sum', Body=b'123456789' * 1001, ChecksumAlgorithm=algorithm)
    s3.get_object(Bucket='bucket', Key='sum', ChecksumMode='ENABLED')['Body'].read()
big = os.urandom(20_000_000)
s3.upload_fileobj(io.BytesIO(big), 'bucket', 'big')
got = io.BytesIO(); s3.download_fileobj('bucket', 'big', got); assert got.getvalue() == big
s3.copy({'Bucket': 'bucket', 'Key': 'big'}, 'bucket', 'big2')
assert s3.head_object(Bucket='bucket', Key='big2')['ContentLength'] == len(big)
url = s3.generate_presigned_url('get_object', Params=dict(Bucket='bucket', Key=name, ResponseContentType='a/b'), ExpiresIn=60)
r = urllib.request.urlopen(url); assert r.read() == b'hello' and r.headers['content-type'] == 'a/b'
url = s3.generate_presigned_url('put_object', Params=dict(Bucket='bucket', Key='pre'), ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b'pre', method='PUT', headers={'content-type': ''}))
print(sorted(o['Key'] for p in s3.get_paginator('list_objects_v2').paginate(Bucket='bucket', PaginationConfig={'PageSize': 2}) for o in p['Contents']))
`)
    expect(told.trim()).toBe("['big', 'big2', 'pre', 'sum', 'x/y z+&?é中']")
  })

  test('s3fs, pandas and pyarrow', async () => {
    const told = await run(`
import os, s3fs, pandas as pd
from pyarrow import fs as arrow
fs = s3fs.S3FileSystem(endpoint_url=os.environ['AWS_ENDPOINT_URL'])
fs.pipe('bucket/s3fs/a.txt', b'abc'); assert fs.cat('bucket/s3fs/a.txt') == b'abc'
big = os.urandom(12_000_000)
with fs.open('bucket/s3fs/big', 'wb') as f: f.write(big)
with fs.open('bucket/s3fs/big', 'rb') as f: f.seek(7_000_000); assert f.read(1000) == big[7_000_000:7_001_000]
fs.mv('bucket/s3fs/big', 'bucket/s3fs/moved'); assert fs.find('bucket/s3fs') == ['bucket/s3fs/a.txt', 'bucket/s3fs/moved']
fs.rm('bucket/s3fs', recursive=True); assert fs.find('bucket/s3fs') == []
frame = pd.DataFrame({'a': range(1000), 'b': [str(i) for i in range(1000)]})
options = dict(endpoint_url=os.environ['AWS_ENDPOINT_URL'])
frame.to_parquet('s3://bucket/t/part.parquet', storage_options=options)
assert pd.read_parquet('s3://bucket/t/part.parquet', storage_options=options).equals(frame)
pa = arrow.S3FileSystem(endpoint_override=os.environ['ENDPOINT'], scheme='http', region='us-east-1')
with pa.open_output_stream('bucket/pa/out') as f: f.write(big)
with pa.open_input_file('bucket/pa/out') as f: assert f.read() == big
print(sorted(i.path for i in pa.get_file_info(arrow.FileSelector('bucket/pa', recursive=True))))
`)
    expect(told.trim()).toBe("['bucket/pa/out']")
  })

  test('DuckDB reads and writes, also in partitions', async () => {
    const told = await run(`
import os, glob, duckdb, duckdb_extension_httpfs
db = duckdb.connect()
home = list(duckdb_extension_httpfs.__path__)[0]
db.execute("load '" + glob.glob(home + '/extensions/*/httpfs.duckdb_extension')[0] + "'")
e = os.environ
db.execute(f"create secret (type s3, key_id '{e['AWS_ACCESS_KEY_ID']}', secret '{e['AWS_SECRET_ACCESS_KEY']}', endpoint '{e['ENDPOINT']}', use_ssl false, url_style 'path', region 'us-east-1')")
db.execute("copy (select range as n, range % 3 as p from range(300000)) to 's3://bucket/duck' (format parquet, partition_by (p))")
print(db.execute("select p, count(*), sum(n) from read_parquet('s3://bucket/duck/**/*.parquet', hive_partitioning=true) group by p order by p").fetchall())
`)
    expect(told.trim()).toBe('[(0, 100000, 14999850000), (1, 100000, 14999950000), (2, 100000, 15000050000)]')
  })

  test('the AWS CLI', async () => {
    const aws = (...args: string[]) =>
      complete({
        binary: cli.program,
        args: [join(cli.packages, 'bin/aws'), ...args],
        env: { ...cli.env, ...env },
      })
    await aws('s3', 'mb', 's3://aws-cli')
    await aws('s3', 'cp', '--quiet', '--recursive', folder, 's3://aws-cli/p')
    expect(await aws('s3', 'sync', folder, 's3://aws-cli/p')).toBe('')
    expect(await aws('s3', 'ls', 's3://aws-cli/p/')).toMatch(/PRE sub\/\n.*0 empty\n.*20000000 large\n/s)
    await aws('s3', 'mv', '--quiet', '--recursive', 's3://aws-cli/p', 's3://aws-cli/q')
    expect(await aws('s3', 'ls', '--recursive', '--summarize', 's3://aws-cli')).toContain('Total Objects: 5')
    await aws('s3', 'rb', '--force', 's3://aws-cli')
    expect(await aws('s3', 'ls')).not.toContain('aws-cli')
  }, 120_000)

  test('rclone', async () => {
    const rclone = (...args: string[]) =>
      complete({
        binary: programPath('rclone')!,
        args: ['--config', '/dev/null', '--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M', ...args],
        env: {
          AWS_CA_BUNDLE: '',
          RCLONE_CONFIG_A_TYPE: 's3',
          RCLONE_CONFIG_A_PROVIDER: 'Other',
          RCLONE_CONFIG_A_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID!,
          RCLONE_CONFIG_A_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY!,
          RCLONE_CONFIG_A_ENDPOINT: env.AWS_ENDPOINT_URL!,
        },
      })
    await rclone('mkdir', 'A:rclone')
    await rclone('copy', folder, 'A:rclone/dir')
    await rclone('check', '--download', folder, 'A:rclone/dir')
    await rclone('moveto', 'A:rclone/dir/sub', 'A:rclone/moved')
    await rclone('sync', 'A:rclone/dir', 'A:rclone/dir2')
    expect((await rclone('lsf', '-R', '--files-only', 'A:rclone')).trim().split('\n').sort()).toEqual([
      'dir/empty',
      'dir/large',
      'dir2/empty',
      'dir2/large',
      'moved/deep/x',
      'moved/f 1 +é',
      'moved/f&2',
    ])
    await rclone('purge', 'A:rclone')
    expect(await rclone('lsd', 'A:')).not.toContain('rclone')
  }, 120_000)
})
