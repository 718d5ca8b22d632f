/**
 * Ceph of Debian: one monitor, one manager and one OSD that keeps its objects in memory, without authentication among them; on
 * top the gateway (S3) and, when asked for, CephFS mounted by ceph-fuse.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { ServerMissing } from './binary.ts'
import { debianPrograms, programPath, run } from './debian.ts'
import { KEYS, mountOptions, type S3Server } from './index.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

export interface Ceph {
  /** The gateway. `stop` of it is `stop` of all. */
  readonly gateway: S3Server
  /** Makes the file system when first asked, and mounts it. @throws ServerMissing where FUSE is not to be had */
  mount(): Promise<string>
  stop(): Promise<void>
}

const BUCKET = 'test-bucket'
const HOST = '127.0.0.1'

export async function startCeph(): Promise<Ceph> {
  await debianPrograms(
    ['ceph', 'ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'radosgw-admin'],
    ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'ceph-common'],
  )
  const data = scratchFolder('ceph')
  const started: { kill(): Promise<void> }[] = []
  const mounts: string[] = []
  const stop = async () => {
    for (const folder of mounts) await run('umount', ['-l', folder]).catch(() => {})
    for (const server of started.reverse()) await server.kill()
    data.remove()
  }
  const port = await freePort()
  const endpoint = `http://${HOST}:${port}`
  const cluster = new Cluster(data.path, await configuration(data.path, port))
  const daemon = async (program: string, args: readonly string[], ready: () => Promise<boolean>) => {
    const server = cluster.process(program, args, ready)
    started.push(server)
    await server.start()
    return server
  }
  try {
    await cluster.prepare()
    const answers = async () => (await cluster.ceph('-s')).length > 0
    await daemon('ceph-mon', ['-i', 'a'], answers)
    await daemon('ceph-mgr', ['-i', 'x'], answers)
    await cluster.prepareOsd()
    await daemon('ceph-osd', ['-i', '0'], async () => (await cluster.ceph('osd', 'stat')).includes('1 up'))
    const gateway = await daemon('radosgw', ['-n', 'client.rgw.x'], async () => (await fetch(endpoint)).ok)
    await cluster.makeUser()
    await makeBucket(endpoint)
    return {
      gateway: {
        endpoint,
        ...KEYS,
        bucket: BUCKET,
        options: (more) => mountOptions(endpoint, more),
        stop,
        pause: () => gateway.pause(),
        resume: () => gateway.resume(),
        kill: () => gateway.kill(),
        restart: () => gateway.start(),
      },
      async mount() {
        if (!existsSync('/dev/fuse')) throw new ServerMissing('CephFS: this host has no /dev/fuse')
        await debianPrograms(['ceph-mds', 'ceph-fuse'], ['ceph-mds', 'ceph-fuse'])
        await cluster.makeFileSystem()
        mkdirSync(join(data.path, 'mds'))
        await daemon('ceph-mds', ['-i', 'a'], async () =>
          (await cluster.ceph('mds', 'stat')).includes('up:active'),
        )
        const folder = join(data.path, 'mount')
        mkdirSync(folder)
        await run('ceph-fuse', [...cluster.flags, '--id', 'admin', folder], 60_000)
        mounts.push(folder)
        return folder
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

class Cluster {
  readonly #folder: string
  readonly #fsid: string
  readonly #monitors: string
  readonly flags: readonly string[]

  constructor(folder: string, { fsid, monitors }: { readonly fsid: string; readonly monitors: string }) {
    this.#folder = folder
    this.#fsid = fsid
    this.#monitors = monitors
    this.flags = ['-c', join(folder, 'ceph.conf')]
  }

  ceph(...args: readonly string[]): Promise<string> {
    return run('ceph', [...this.flags, '--connect-timeout', '10', ...args], 20_000)
  }

  process(program: string, args: readonly string[], ready: () => Promise<boolean>): ServerProcess {
    const binary = programPath(program)
    if (binary === undefined) throw new ServerMissing(`${program} is not installed`)
    return new ServerProcess({ binary, args: [...this.flags, ...args, '-f'] }, ready)
  }

  async prepare(): Promise<void> {
    const map = join(this.#folder, 'monmap')
    const keys = join(this.#folder, 'keyring')
    await run('monmaptool', ['--create', '--fsid', this.#fsid, '--addv', 'a', this.#monitors, map])
    writeFileSync(keys, '')
    await run('ceph-authtool', [keys, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *'])
    await run('ceph-mon', [...this.flags, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keys])
  }

  async prepareOsd(): Promise<void> {
    const id = randomUUID()
    await this.ceph('osd', 'new', id)
    await run('ceph-osd', [...this.flags, '-i', '0', '--mkfs', '--osd-uuid', id])
  }

  async makeUser(): Promise<void> {
    const keys = ['--access-key', KEYS.accessKey, '--secret-key', KEYS.secretKey]
    await run('radosgw-admin', [
      ...this.flags,
      'user',
      'create',
      '--uid',
      't',
      '--display-name',
      't',
      ...keys,
    ])
  }

  async makeFileSystem(): Promise<void> {
    for (const pool of ['files', 'metadata']) await this.ceph('osd', 'pool', 'create', pool, '4')
    await this.ceph('fs', 'new', 'cephfs', 'metadata', 'files')
  }
}

async function configuration(
  folder: string,
  port: number,
): Promise<{ readonly fsid: string; readonly monitors: string }> {
  const fsid = randomUUID()
  const monitors = `[v2:${HOST}:${await freePort()},v1:${HOST}:${await freePort()}]`
  for (const name of ['log', 'run', 'mon', 'osd', 'mgr', 'rgw']) mkdirSync(join(folder, name))
  writeFileSync(
    join(folder, 'ceph.conf'),
    `[global]
fsid = ${fsid}
mon host = ${monitors}
public addr = ${HOST}
cluster addr = ${HOST}
auth cluster required = none
auth service required = none
auth client required = none
# The gateway and CephFS would ask for a mode that needs authentication, and wait for ever.
ms mon client mode = crc
ms bind ipv6 = false
run dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
log file = ${folder}/log/$name.log
pid file =
setuser match path =
mon data = ${folder}/mon
mgr data = ${folder}/mgr
osd data = ${folder}/osd
mds data = ${folder}/mds
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mgr initial modules =
[client.rgw.x]
rgw frontends = beast endpoint=${HOST}:${port}
rgw data = ${folder}/rgw
rgw enable usage log = false
rgw dynamic resharding = false
rgw gc obj min wait = 5
`,
  )
  return { fsid, monitors }
}

async function makeBucket(endpoint: string): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
  })
  for (let attempt = 0; ; attempt++) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
      break
    } catch (error) {
      if (attempt === 20) throw error
      await delay(250)
    }
  }
  client.destroy()
}
