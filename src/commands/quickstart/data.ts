/** The data sets of the tour: the npm package vega-datasets, through a local under-store and through S3. */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { environment } from '../../core/config/index.ts'
import { AlluxioError, formatBytes, isAlluxioError } from '../../core/index.ts'
import { usageError } from '../failure.ts'
import type { Tour } from './tour.ts'

export interface DataSource {
  readonly what: string
  /** Mount point. */
  readonly path: string
  /** Mounts it, unless it is mounted already. */
  mount(tour: Tour): Promise<void>
}

/** The files that the tour reads; the folder has some 70 more. */
export const FILES = [
  'flights-3m.parquet',
  'flights-200k.json',
  'flights-200k.arrow',
  'species.csv',
  'birdstrikes.csv',
] as const
const PARENT = '/quickstart'

export function localSource(): DataSource {
  const path = `${PARENT}/vega`
  return {
    what: 'the npm package vega-datasets, in a local folder',
    path,
    async mount(tour) {
      const folder = datasets(tour.home)
      const names = readdirSync(folder)
      const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
      await ensureMount(tour, path, pathToFileURL(folder).href, {}, true)
      tour.say(
        `${names.length} files, ${formatBytes(bytes)}: 3 million flights (Parquet), 200,000 (JSON, Arrow), species, bird strikes …`,
      )
    },
  }
}

/** @throws INVALID_ARGUMENT for a malformed place or missing credentials */
export function s3Source(place: string): DataSource {
  const withScheme = /^https?:\/\//.test(place) ? place : `http://${place}`
  if (!URL.canParse(withScheme))
    throw usageError(`--s3 ${place} is no address`, ['Write for example: --s3 http://127.0.0.1:9000/bucket'])
  const url = new URL(withScheme)
  const [bucket, ...folders] = url.pathname.split('/').filter((name) => name !== '')
  if (bucket === undefined) {
    throw usageError(`--s3 ${place} names no bucket`, [
      'Write for example: --s3 http://127.0.0.1:9000/bucket',
    ])
  }
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
    if ((environment()[name] ?? '') !== '') continue
    throw new AlluxioError('INVALID_ARGUMENT', `--s3 needs credentials: the environment has no ${name}`, {
      reason: 'NO_CREDENTIALS',
      details: { suggestions: [`export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, then run this again`] },
    })
  }
  const uri = `s3://${[bucket, ...folders].join('/')}`
  const path = `${PARENT}/s3`
  return {
    what: `the same files in ${uri} at ${url.origin}`,
    path,
    async mount(tour) {
      const options = {
        'alluxio.underfs.s3.endpoint': url.origin,
        's3a.accessKeyId': 'env:AWS_ACCESS_KEY_ID',
        's3a.secretKey': 'env:AWS_SECRET_ACCESS_KEY',
      }
      await ensureMount(tour, path, uri, options, false).catch((error: unknown) => {
        throw mountRemedy(error, bucket)
      })
      await fill(tour, path)
    },
  }
}

async function ensureMount(
  { fs, say }: Tour,
  path: string,
  uri: string,
  options: Readonly<Record<string, string>>,
  readOnly: boolean,
): Promise<void> {
  const strip = (text: string): string => text.replace(/^file:\/\//, '').replace(/\/+$/, '')
  const mounted = (await fs.mounts()).find((mount) => mount.path === path)
  if (mounted !== undefined && strip(mounted.uri) === strip(uri)) {
    say(`${uri} is mounted at ${path} already`)
    return
  }
  if (mounted !== undefined) {
    // The installation moved, or another bucket is wanted.
    await fs.unmount(path)
    say(`Unmounted ${mounted.uri}`)
  }
  await fs.mkdir(PARENT, { recursive: true, allowExists: true })
  await fs.mount(path, uri, { readOnly, options })
  say(`Mounted ${uri} at ${path}`)
}

/** Uploads the files to a bucket that has none of them, through the namespace. */
async function fill({ fs, say, home }: Tour, path: string): Promise<void> {
  for await (const _entry of fs.list(path, { pageSize: 1, loadMetadata: 'ALWAYS' })) {
    say('The bucket has data: nothing is uploaded')
    return
  }
  const folder = datasets(home)
  for (const name of FILES) {
    const writer = await fs.create(`${path}/${name}`, { writeType: 'THROUGH' })
    try {
      for await (const chunk of createReadStream(join(folder, name), { highWaterMark: 2 ** 20 }))
        await writer.write(chunk as Buffer)
    } catch (error) {
      await writer.abort(error).catch(() => {})
      throw error
    }
    const { length } = await writer.close()
    say(`Uploaded ${name}, ${formatBytes(length)}`)
  }
}

/** Folder of the data sets: a dependency, so it stands where packages are looked for. */
function datasets(home: string): string {
  const places = [
    join(home, 'node_modules'),
    ...(createRequire(import.meta.url).resolve.paths('vega-datasets') ?? []),
  ]
  const found = places
    .map((place) => join(place, 'vega-datasets', 'data'))
    .find((folder) => existsSync(folder))
  if (found !== undefined) return found
  throw new AlluxioError('NOT_FOUND', 'the package vega-datasets is not installed', {
    details: { suggestions: ['Install the packages: npm install --ignore-scripts'] },
  })
}

function mountRemedy(error: unknown, bucket: string): unknown {
  if (!isAlluxioError(error)) return error
  const suggestions =
    error.code === 'NOT_FOUND'
      ? [`Make the bucket first, for example: aws s3 mb s3://${bucket}`]
      : error.message.includes('environment variable')
        ? ['The daemons run without the credentials: alluxio stop, then run this again']
        : ['Check the address, the bucket and the credentials']
  return new AlluxioError(error.code, error.message, {
    cause: error,
    details: { ...error.details, suggestions },
  })
}
