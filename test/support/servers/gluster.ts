/**
 * GlusterFS of Debian: glusterd and one brick in a network namespace of their own, since glusterd refuses loopback addresses, with
 * its state in a folder of the test instead of the system's. This process reaches them over a pair of virtual devices.
 */
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ServerMissing } from './binary.ts'
import { debianPrograms, programPath, run } from './debian.ts'
import { ServerProcess, scratchFolder } from './process.ts'

export interface GlusterServer {
  readonly host: string
  /** A volume that is started. */
  readonly volume: string
  /** The brick's folder: what a client of the volume sees, as plain files. */
  readonly brick: string
  /** The volume mounted by FUSE; unmounted at the end. */
  mount(): Promise<string>
  unmount(folder: string): Promise<void>
  /** Runs the gluster command line. */
  command(...args: readonly string[]): Promise<string>
  /** SIGSTOP of the brick: it hangs, its connections stay open. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** SIGKILL of glusterd and brick. */
  kill(): Promise<void>
  /** SIGKILL of glusterd alone. */
  killGlusterd(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

const VOLUME = 'v0'

export async function startGluster(): Promise<GlusterServer> {
  if (process.getuid?.() !== 0) throw new ServerMissing('GlusterFS: only root can make a network namespace')
  await debianPrograms(['glusterd', 'gluster', 'glusterfs'], ['glusterfs-server', 'libgfapi0'])
  await debianPrograms(['ip'], ['iproute2'])
  const data = scratchFolder('gluster')
  const network = await makeNetwork().catch((error: unknown) => {
    data.remove()
    throw error
  })
  const brick = join(data.path, 'brick')
  for (const folder of ['state', 'log', 'brick']) mkdirSync(join(data.path, folder))
  // In this mount namespace, which ends with glusterd, the places that glusterd has compiled in are the test's.
  const script = [
    `mkdir -p ${data.path}/run/gluster /var/lib/glusterd /var/log/glusterfs`,
    `mount --bind ${data.path}/run /run`,
    `mount --bind ${data.path}/state /var/lib/glusterd`,
    `mount --bind ${data.path}/log /var/log/glusterfs`,
    'exec glusterd -N --log-level WARNING -p /run/glusterd.pid',
  ].join(' && ')
  let pid = 0
  const pids = async () =>
    (await run('ip', ['netns', 'pids', network.name])).trim().split(/\s+/).filter(Boolean).map(Number)
  const command = (...args: readonly string[]) =>
    run(
      'nsenter',
      ['-t', String(pid), '-m', '-n', '--', programPath('gluster')!, '--mode=script', ...args],
      60_000,
    )
  const server = new ServerProcess(
    { binary: programPath('ip')!, args: ['netns', 'exec', network.name, 'sh', '-c', script] },
    async () => {
      pid = (await pids()).find((one) => nameOf(one) === 'glusterd') ?? 0
      await command('volume', 'info')
      return true
    },
  )
  const bricks = async () => (await pids()).filter((one) => nameOf(one) === 'glusterfsd')
  const signal = (pids: readonly number[], name: NodeJS.Signals) => {
    for (const one of pids) {
      try {
        process.kill(one, name)
      } catch {}
    }
  }
  const online = async () => {
    for (let i = 0; i < 300; i++) {
      if (/Online\s*:\s*Y/.test(await command('volume', 'status', VOLUME, 'detail').catch(() => ''))) return
      // A glusterd that came back while the old brick was still dying does not start it again by itself.
      if (i % 50 === 49) await command('volume', 'start', VOLUME, 'force').catch(() => '')
      await delay(100)
    }
    throw new ServerMissing('the brick of GlusterFS did not start')
  }
  const mounts = new Set<string>()
  const unmount = async (folder: string) => {
    mounts.delete(folder)
    await run('umount', ['-l', folder]).catch(() => {})
  }
  const stop = async () => {
    for (const folder of mounts) await unmount(folder)
    await server.kill()
    signal(await pids().catch(() => []), 'SIGKILL')
    await network.remove()
    data.remove()
  }
  try {
    await server.start()
    await command('volume', 'create', VOLUME, `${network.host}:${brick}`, 'force')
    await command('volume', 'start', VOLUME)
    await online()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    host: network.host,
    volume: VOLUME,
    brick,
    command,
    async mount() {
      const folder = mkdtempSync(join(data.path, 'mount-'))
      await run('glusterfs', [
        `--volfile-server=${network.host}`,
        `--volfile-id=${VOLUME}`,
        '-l',
        '/dev/null',
        folder,
      ])
      mounts.add(folder)
      return folder
    },
    unmount,
    pause: async () => signal(await bricks(), 'SIGSTOP'),
    resume: async () => signal(await bricks(), 'SIGCONT'),
    async kill() {
      await server.kill()
      signal(await bricks(), 'SIGKILL')
    },
    killGlusterd: () => server.kill(),
    async restart() {
      await server.start()
      await online()
    },
    stop,
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

interface Network {
  readonly name: string
  /** Address of the servers. */
  readonly host: string
  remove(): Promise<void>
}

/** A network namespace and a pair of devices into it, on a network that this host does not use. */
async function makeNetwork(): Promise<Network> {
  const tag = `${process.pid.toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`
  const name = `alluxio-gluster-${tag}`
  const [outer, inner] = [`axo${tag}`, `axi${tag}`]
  const used = await run('ip', ['-o', 'address'])
  const nets = Array.from({ length: 64 }, () => `10.231.${Math.floor(Math.random() * 256)}`)
  const net = nets.find((one) => !used.includes(`${one}.`))
  if (net === undefined) throw new ServerMissing('no free network was found')
  const remove = async () => {
    await run('ip', ['link', 'del', outer]).catch(() => {})
    await run('ip', ['netns', 'del', name]).catch(() => {})
  }
  try {
    await run('ip', ['netns', 'add', name])
    await run('ip', ['link', 'add', outer, 'type', 'veth', 'peer', 'name', inner])
    await run('ip', ['link', 'set', inner, 'netns', name])
    await run('ip', ['address', 'add', `${net}.1/30`, 'dev', outer])
    await run('ip', ['link', 'set', outer, 'up'])
    for (const args of [
      ['link', 'set', 'lo', 'up'],
      ['address', 'add', `${net}.2/30`, 'dev', inner],
      ['link', 'set', inner, 'up'],
    ]) {
      await run('ip', ['-n', name, ...args])
    }
  } catch (error) {
    await remove()
    throw error
  }
  return { name, host: `${net}.2`, remove }
}
