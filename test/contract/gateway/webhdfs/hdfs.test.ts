/** Real HDFS asked the same: what it answers, and what its checksums are. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, patternBytes } from '../../../support/cluster.ts'
import { type HdfsServer, startHdfs } from '../../../support/servers/hdfs.ts'
import { ifAvailable } from '../../../support/servers/index.ts'
import { type Answer, exceptionOf, Hdfs } from './http.ts'

const user = process.env.USER ?? 'root'
const MiB = 2 ** 20
const { server, reason } = await ifAvailable(() => startHdfs())
const real = server as HdfsServer | undefined
let cluster: Cluster
let ours: Hdfs
let theirs: Hdfs
beforeAll(async () => {
  if (real === undefined) return
  cluster = await Cluster.start({ proxy: true })
  ours = new Hdfs(cluster.webHdfs, user)
  theirs = new Hdfs(new URL(real.addresses[0]!).host, user)
}, 120_000)
afterAll(async () => {
  await cluster?.dispose()
  await real?.stop()
})

type Step = readonly [
  method: string,
  path: string,
  op: string,
  parameters?: Readonly<Record<string, string>>,
  body?: Buffer,
]

/** In order: each leaves behind what later ones meet. */
const STEPS: readonly Step[] = [
  ['PUT', '/d/sub', 'MKDIRS', { permission: '755' }],
  ['PUT', '/d/f', 'CREATE', { permission: '644' }, patternBytes(1, 100_000)],
  ['PUT', '/d/f', 'CREATE', {}, patternBytes(1, 10)],
  ['PUT', '/d', 'CREATE', { overwrite: 'true' }, patternBytes(1, 10)],
  ['PUT', '/d/f/x', 'MKDIRS'],
  ['PUT', '/d/f', 'MKDIRS'],
  ['GET', '/d/f', 'GETFILESTATUS'],
  ['GET', '/d', 'GETFILESTATUS'],
  ['GET', '/d/none', 'GETFILESTATUS'],
  ['GET', '/d/f/x', 'GETFILESTATUS'],
  ['GET', '/d/f/x', 'LISTSTATUS'],
  ['GET', '/d/f/x', 'OPEN'],
  ['GET', '/d/f/x', 'GETCONTENTSUMMARY'],
  ['GET', '/d/f/x', 'GETACLSTATUS'],
  ['GET', '/d/f/x', 'GET_BLOCK_LOCATIONS'],
  ['GET', '/d', 'GET_BLOCK_LOCATIONS'],
  ['PUT', '/d/f/x', 'SETPERMISSION', { permission: '600' }],
  ['PUT', '/d/f/x', 'CREATE', {}, patternBytes(1, 10)],
  ['PUT', '/d/sub', 'RENAME', { destination: '/d/f/x' }],
  ['DELETE', '/d/f/x', 'DELETE'],
  ['POST', '/d', 'APPEND', {}, patternBytes(1, 10)],
  ['GET', '/d', 'GETFILECHECKSUM'],
  ['GET', '/d', 'LISTSTATUS'],
  ['GET', '/d/f', 'LISTSTATUS'],
  ['GET', '/d/none', 'LISTSTATUS'],
  ['GET', '/d', 'LISTSTATUS_BATCH', { startAfter: 'f' }],
  ['GET', '/d', 'GETCONTENTSUMMARY'],
  ['GET', '/d/f', 'GETCONTENTSUMMARY'],
  ['GET', '/d/none', 'GETCONTENTSUMMARY'],
  ['GET', '/d', 'GETQUOTAUSAGE'],
  ['GET', '/', 'GETHOMEDIRECTORY'],
  ['GET', '/d/f', 'GETTRASHROOT'],
  ['GET', '/', 'GETSERVERDEFAULTS'],
  ['GET', '/d/f', 'CHECKACCESS', { fsaction: 'rw-' }],
  ['GET', '/d/none', 'CHECKACCESS', { fsaction: 'r--' }],
  ['GET', '/d/f', 'GET_BLOCK_LOCATIONS'],
  ['GET', '/d/none', 'GET_BLOCK_LOCATIONS'],
  ['GET', '/d/f', 'OPEN', { offset: '99990' }],
  ['GET', '/d', 'OPEN'],
  ['GET', '/d/none', 'OPEN'],
  ['PUT', '/d/f', 'SETXATTR', { 'xattr.name': 'user.a', 'xattr.value': '0x0102', flag: 'CREATE' }],
  ['PUT', '/d/f', 'SETXATTR', { 'xattr.name': 'user.a', 'xattr.value': '0x03', flag: 'CREATE' }],
  ['PUT', '/d/f', 'SETXATTR', { 'xattr.name': 'user.b', 'xattr.value': '0x03', flag: 'REPLACE' }],
  ['PUT', '/d/f', 'SETXATTR', { 'xattr.name': 'b', 'xattr.value': '0x03', flag: 'CREATE' }],
  ['GET', '/d/f', 'GETXATTRS', { encoding: 'HEX' }],
  ['GET', '/d/f', 'GETXATTRS', { 'xattr.name': 'user.none', encoding: 'HEX' }],
  ['GET', '/d/f', 'LISTXATTRS'],
  ['PUT', '/d/f', 'REMOVEXATTR', { 'xattr.name': 'user.a' }],
  ['PUT', '/d/f', 'REMOVEXATTR', { 'xattr.name': 'user.a' }],
  ['PUT', '/d/sub', 'MODIFYACLENTRIES', { aclspec: 'user:bob:r-x,default:user:bob:rwx' }],
  ['GET', '/d/sub', 'GETACLSTATUS'],
  ['GET', '/d/sub', 'GETFILESTATUS'],
  ['PUT', '/d/sub', 'REMOVEACL'],
  ['GET', '/d/sub', 'GETACLSTATUS'],
  ['PUT', '/d/f', 'SETPERMISSION', { permission: '1600' }],
  ['PUT', '/d/none', 'SETPERMISSION', { permission: '600' }],
  ['PUT', '/d/f', 'SETOWNER', { owner: 'bob' }],
  ['PUT', '/d/f', 'SETOWNER'],
  ['PUT', '/d/f', 'SETTIMES', { modificationtime: '1600000000000' }],
  ['PUT', '/d/f', 'SETREPLICATION', { replication: '2' }],
  ['PUT', '/d', 'SETREPLICATION', { replication: '2' }],
  ['PUT', '/d/none', 'SETREPLICATION', { replication: '2' }],
  ['PUT', '/d/g', 'CREATE', {}, patternBytes(2, 5000)],
  ['PUT', '/d/g', 'RENAME', { destination: '/d/f' }],
  ['PUT', '/d/g', 'RENAME', { destination: '/d/sub' }],
  ['PUT', '/d/none', 'RENAME', { destination: '/d/x' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/no/parent' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/d/sub/g' }],
  ['PUT', '/d/sub', 'RENAME', { destination: '/d/sub' }],
  ['PUT', '/d', 'RENAME', { destination: '/d/sub/in' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/d/f', renameoptions: 'NONE' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/no/parent', renameoptions: 'NONE' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/d/sub/g', renameoptions: 'NONE' }],
  ['PUT', '/d/none', 'RENAME', { destination: '/d/x', renameoptions: 'OVERWRITE' }],
  ['PUT', '/d/sub', 'RENAME', { destination: '/d/sub/in', renameoptions: 'OVERWRITE' }],
  ['PUT', '/d/sub/g', 'RENAME', { destination: '/d/f', renameoptions: 'OVERWRITE' }],
  ['GET', '/d/f', 'GETFILESTATUS'],
  ['POST', '/d/f', 'APPEND', {}, patternBytes(3, 3000)],
  ['POST', '/d/none', 'APPEND', {}, patternBytes(3, 3000)],
  ['POST', '/d/f', 'TRUNCATE', { newlength: '8000' }],
  ['POST', '/d/f', 'TRUNCATE', { newlength: '9000' }],
  ['GET', '/d/f', 'GETFILESTATUS'],
  ['DELETE', '/d', 'DELETE'],
  ['DELETE', '/d/none', 'DELETE'],
  ['DELETE', '/', 'DELETE', { recursive: 'true' }],
  ['DELETE', '/d', 'DELETE', { recursive: 'true' }],
  ['GET', '/', 'NOSUCHOP'],
  ['PUT', '/', 'LISTSTATUS'],
]

/** Steps whose exception is another one here, with the reason. */
const BELOW_A_FILE = 'HDFS says AccessControlException of names below a file; here they are not there'
const OTHER_EXCEPTIONS: Readonly<Record<string, string>> = {
  'GET LISTSTATUS /d/f/x ': BELOW_A_FILE,
  'GET GETCONTENTSUMMARY /d/f/x ': BELOW_A_FILE,
  'GET GETACLSTATUS /d/f/x ': BELOW_A_FILE,
  'GET GET_BLOCK_LOCATIONS /d/f/x ': BELOW_A_FILE,
  'PUT SETPERMISSION /d/f/x permission=600': `${BELOW_A_FILE}: ParentNotDirectoryException`,
  'DELETE DELETE /d/f/x ': BELOW_A_FILE,
  'POST APPEND /d ': 'PathIsDirectoryException says what is wrong; HDFS says FileAlreadyExistsException',
  'PUT SETXATTR /d/f xattr.name=b&xattr.value=0x03&flag=CREATE':
    'HadoopIllegalArgumentException is a kind of ours',
  'POST TRUNCATE /d/f newlength=9000': 'HadoopIllegalArgumentException is a kind of ours',
}

/** What HDFS tells of things that there are none of here. */
const NOT_HERE = new Set([
  'erasureCodingPolicy',
  'ecPolicyObj',
  'symlink',
  'snapshotTrashRootEnabled',
  'upgradeDomain',
])

const suite = real === undefined ? describe.skip : describe
suite(`beside HDFS${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('steps end alike, and answers have all that those of HDFS have', async () => {
    const differences: unknown[] = []
    for (const [method, path, op, parameters = {}, body] of STEPS) {
      const step = `${method} ${op} ${path} ${new URLSearchParams(parameters)}`
      const [mine, other] = await Promise.all(
        [ours, theirs].map((hdfs) => hdfs.call(method, path, op, parameters, body)),
      )
      const [a, b] = [outcomeOf(mine!), outcomeOf(other!)]
      if (JSON.stringify(a) !== JSON.stringify(b) && OTHER_EXCEPTIONS[step] === undefined)
        differences.push({ step, ours: a, hdfs: b })
      const missing = missingIn(mine!.json, other!.json)
      if (missing.length > 0 && exceptionOf(other!) === '') differences.push({ step, missing })
    }
    expect(differences).toEqual([])
  }, 120_000)

  test('checksums are the same', async () => {
    for (const length of [0, 1, 511, 512, 513, MiB, MiB + 1, 2 * MiB + 100, 3 * MiB, 5 * MiB - 7]) {
      const bytes = patternBytes(length, length)
      const sums = await Promise.all(
        [ours, theirs].map(async (hdfs) => {
          await hdfs.write(`/sum/${length}`, bytes, { blocksize: String(MiB), overwrite: 'true' })
          return (await hdfs.call('GET', `/sum/${length}`, 'GETFILECHECKSUM')).json.FileChecksum
        }),
      )
      expect([length, sums[0]]).toEqual([length, sums[1]])
    }
  }, 60_000)
})

/** The exception, or the answer if it is one word. */
function outcomeOf(answer: Answer): unknown {
  const exception = exceptionOf(answer)
  if (exception !== '') return { exception }
  const { boolean, Path } = answer.json ?? {}
  return {
    ok: answer.status < 300,
    ...(boolean === undefined ? {} : { boolean }),
    ...(Path === undefined ? {} : { Path }),
  }
}

/** Names, at any depth, that the other one has; of a list its first entry stands for all. */
function missingIn(mine: unknown, other: unknown, at = ''): string[] {
  if (typeof other !== 'object' || other === null) return []
  if (Array.isArray(other)) {
    const first = Array.isArray(mine) ? mine[0] : undefined
    return other.length === 0 || first === undefined ? [] : missingIn(first, other[0], `${at}[]`)
  }
  return Object.entries(other).flatMap(([name, value]) => {
    const own = (mine as Record<string, unknown> | undefined | null)?.[name]
    if (own === undefined) return NOT_HERE.has(name) ? [] : [`${at}.${name}`]
    return missingIn(own, value, `${at}.${name}`)
  })
}
