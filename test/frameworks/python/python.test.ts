/** The programs of docs/guides/python.md, as they stand there, one after the other. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { guideBlock } from '../../support/guide.ts'
import { ifAvailable } from '../../support/servers/index.ts'
import { type Python, pythonWith } from '../../support/servers/python.ts'
import { type Gateways, startGateways } from '../gateways.ts'

const PACKAGES = [
  ...['pandas==2.3.3', 'pyarrow==21.0.0', 'fsspec==2025.9.0', 's3fs==2025.9.0', 'requests==2.32.5'],
  'duckdb==1.3.2',
]
/** What each prints; later ones read what earlier ones wrote. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'pandas-webhdfs': '4498500 3000',
  'dataset-webhdfs': '500 True',
  'pandas-s3': '3000 1000',
  'dataset-s3': '1500 3',
  'duckdb-s3': "[('Brno', 1000), ('Praha', 1000), ('Żilina', 1000)]",
}

const { server, reason } = await ifAvailable(() => pythonWith('tools', PACKAGES))
const python = server as Python
let gateways: Gateways

beforeAll(async () => {
  if (reason === undefined) gateways = await startGateways()
}, 300_000)
afterAll(() => gateways?.cluster.dispose())

const suite = reason === undefined ? describe : describe.skip
suite(`Python tools${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each(Object.entries(PROGRAMS))(
    '%s',
    async (name, printed) => {
      const { cluster, s3 } = gateways
      const [, port] = cluster.webHdfs.split(':')
      const changes = name.endsWith('-s3')
        ? {
            '127.0.0.1:39999': cluster.s3,
            ACCESS_KEY_ID: s3.accessKeyId,
            SECRET_ACCESS_KEY: s3.secretAccessKey,
          }
        : { '39870': port! }
      expect((await python.execute(guideBlock('python', name, changes))).trim()).toBe(printed)
    },
    120_000,
  )
})
