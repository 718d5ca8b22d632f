/**
 * Hosts of a test: network namespaces with a name, an address, an /etc/hosts and a /dev/shm of their own, on a switch with links that can be
 * made slow and that count their bytes. Nothing has a name in the system and every process ends with the test's, so that a
 * test that is killed leaves nothing behind.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ServerMissing } from './servers/binary.ts'
import { debianPrograms, programPath, run } from './servers/debian.ts'
import { type Place, scratchFolder } from './servers/process.ts'

const execute = promisify(execFile)

/** What `Network` needs of the system. */
const PROGRAMS = ['ip', 'tc', 'unshare', 'nsenter', 'setpriv', 'mount']
/** More than the largest packet of a link without a network card. */
const BURST = '256kb'
const QUEUE = '100ms'
/** Never routed: 198.18.0.0/15 is set aside for tests of networks (RFC 2544). */
const SUBNETS = 512
/** Where the test itself stands in the subnet; hosts follow. */
const OWN_NUMBER = 254

/** Bytes over a link since it was made. */
export interface LinkBytes {
  /** By the host. */
  readonly sent: number
  readonly received: number
}

/** A host: daemons and programs that are started by `command` are on it. */
export class Host implements Place {
  readonly name: string
  readonly address: string
  readonly #namespaces: Namespaces

  constructor(name: string, address: string, namespaces: Namespaces) {
    this.name = name
    this.address = address
    this.#namespaces = namespaces
  }

  command(binary: string, args: readonly string[]) {
    return this.#namespaces.command(binary, args)
  }
}

/** What a process that only sleeps keeps alive; it goes with the process that started it, whatever becomes of that. */
class Namespaces {
  readonly #keeper: ChildProcess

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper
  }

  static async open(kinds: readonly string[]): Promise<Namespaces> {
    const [binary, ...args] = mortal('unshare', [...kinds, '/bin/sh', '-c', 'echo; exec sleep infinity'])
    const keeper = spawn(binary!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    // A line says that the namespaces are there.
    await Promise.race([once(keeper.stdout, 'data'), once(keeper, 'exit')])
    if (keeper.exitCode !== null) throw new Error(`unshare ${kinds.join(' ')} ended with ${keeper.exitCode}`)
    return new Namespaces(keeper)
  }

  get pid(): string {
    return String(this.#keeper.pid)
  }

  /** The command that is `binary` within: its process id is that of the child, and signals reach it. */
  command(binary: string, args: readonly string[]): { binary: string; args: readonly string[] } {
    const [first, ...rest] = mortal('nsenter', [
      ...['--target', this.pid, '--net', '--mount', '--uts', '--', binary],
      ...args,
    ])
    return { binary: first!, args: rest }
  }

  /** Runs a program to its end within. */
  async do(program: string, ...args: string[]): Promise<string> {
    const command = this.command(programPath(program)!, args)
    return (await execute(command.binary, command.args)).stdout
  }

  async close(): Promise<void> {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) return
    const gone = once(this.#keeper, 'exit')
    this.#keeper.kill('SIGKILL')
    await gone
  }
}

/** A command that is killed when its parent dies. */
function mortal(program: string, args: readonly string[]): string[] {
  return [programPath('setpriv')!, '--pdeathsig', 'KILL', programPath(program)!, ...args]
}

export class Network implements AsyncDisposable {
  readonly hosts: readonly Host[]
  /** Of the test itself. */
  readonly address: string
  readonly #switch: Namespaces
  readonly #opened: readonly Namespaces[]
  readonly #files: ReturnType<typeof scratchFolder>

  private constructor(
    hosts: readonly Host[],
    address: string,
    opened: readonly Namespaces[],
    files: ReturnType<typeof scratchFolder>,
  ) {
    this.hosts = hosts
    this.address = address
    this.#switch = opened[0]!
    this.#opened = opened
    this.#files = files
  }

  /**
   * Hosts of these names, which know each other by them; the test reaches them by address.
   * @throws ServerMissing with the reason, where the system does not let us
   */
  static async start(names: readonly string[]): Promise<Network> {
    await possible()
    const files = scratchFolder('hosts')
    const subnet = await freeSubnet()
    const addresses = names.map((_, i) => `${subnet}.${i + 1}`)
    const table = join(files.path, 'hosts')
    const lines = names.map((name, i) => `${addresses[i]} ${name}`)
    writeFileSync(table, `${['127.0.0.1 localhost', ...lines].join('\n')}\n`)
    const opened: Namespaces[] = []
    try {
      const wire = await Namespaces.open(['--net', '--mount', '--uts'])
      opened.push(wire)
      await wire.do('ip', 'link', 'add', 'switch', 'type', 'bridge')
      await wire.do('ip', 'link', 'set', 'switch', 'up')
      const hosts: Host[] = []
      for (const [i, name] of names.entries()) {
        const own = await Namespaces.open(['--net', '--mount', '--uts'])
        opened.push(own)
        await connect(wire, own, name, `${addresses[i]}/24`, portOf(i))
        // Each sees its own memory file system only, as if it were another machine's.
        await own.do('mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm')
        await own.do('mount', '--bind', table, '/etc/hosts')
        hosts.push(new Host(name, addresses[i]!, own))
      }
      const address = `${subnet}.${OWN_NUMBER}`
      await connectTest(wire, `${address}/24`)
      return new Network(hosts, address, opened, files)
    } catch (error) {
      await Promise.all(opened.map((each) => each.close()))
      files.remove()
      throw error
    }
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name)
    if (found === undefined) throw new Error(`no host is called ${name}`)
    return found
  }

  /** Lets no link carry more, each way; the test's own link stays as it is. @param rate as tc writes it: `100mbit` */
  async limit(rate: string): Promise<void> {
    const shaped = ['root', 'tbf', 'rate', rate, 'burst', BURST, 'latency', QUEUE]
    for (const [i] of this.hosts.entries()) {
      await this.#switch.do('tc', 'qdisc', 'replace', 'dev', portOf(i), ...shaped)
      await this.#opened[i + 1]!.do('tc', 'qdisc', 'replace', 'dev', 'eth0', ...shaped)
    }
  }

  /** Of the links of all hosts so far, by the hosts' names. */
  async bytes(): Promise<Record<string, LinkBytes>> {
    const links = JSON.parse(await this.#switch.do('ip', '-json', '-stats', 'link')) as readonly {
      readonly ifname: string
      readonly stats64: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } }
    }[]
    const ofPort = new Map(links.map(({ ifname, stats64 }) => [ifname, stats64]))
    // What the switch receives from a port, the host has sent.
    const counted = this.hosts.map(({ name }, i) => {
      const { rx, tx } = ofPort.get(portOf(i))!
      return [name, { sent: rx.bytes, received: tx.bytes }] as const
    })
    return Object.fromEntries(counted)
  }

  /** Runs some work; resolves with what it came to and the bytes that went over each link meanwhile. */
  async counting<T>(work: () => Promise<T>): Promise<{ value: T; bytes: Record<string, LinkBytes> }> {
    const before = await this.bytes()
    const value = await work()
    const spent = Object.entries(await this.bytes()).map(([name, { sent, received }]) => [
      name,
      { sent: sent - before[name]!.sent, received: received - before[name]!.received },
    ])
    return { value, bytes: Object.fromEntries(spent) }
  }

  /** Ends the hosts; what still runs on them loses its network and is to be ended by who started it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((each) => each.close()))
    this.#files.remove()
  }
}

function portOf(host: number): string {
  return `port${host}`
}

/** A cable from a host to the switch. */
async function connect(
  wire: Namespaces,
  own: Namespaces,
  name: string,
  address: string,
  port: string,
): Promise<void> {
  const cable = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', own.pid]
  await wire.do('ip', 'link', 'add', port, ...cable)
  await wire.do('ip', 'link', 'set', port, 'master', 'switch', 'up')
  await own.do('ip', 'link', 'set', 'lo', 'up')
  await own.do('ip', 'address', 'add', address, 'dev', 'eth0')
  await own.do('ip', 'link', 'set', 'eth0', 'up')
  await own.do('sh', '-c', `echo ${name} > /proc/sys/kernel/hostname`)
}

/** Its own end goes when the switch does. */
async function connectTest(wire: Namespaces, address: string): Promise<void> {
  const name = `alx${process.pid}`
  await run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'test', 'netns', wire.pid])
  await wire.do('ip', 'link', 'set', 'test', 'master', 'switch', 'up')
  await run('ip', ['address', 'add', address, 'dev', name])
  await run('ip', ['link', 'set', name, 'up'])
}

/** Its first three bytes; no interface of this machine is in it. */
async function freeSubnet(): Promise<string> {
  const taken = await run('ip', ['-o', 'address'])
  for (let tried = 0; tried < SUBNETS; tried++) {
    const number = (process.pid + tried) % SUBNETS
    const subnet = `198.${18 + (number >> 8)}.${number & 255}`
    if (!taken.includes(` ${subnet}.`)) return subnet
  }
  throw new ServerMissing('all subnets for tests are taken')
}

/** Tries everything that only root on a real kernel may. @throws ServerMissing with the reason */
async function possible(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new ServerMissing('hosts as network namespaces need root on Linux')
  await debianPrograms(PROGRAMS, ['iproute2', 'util-linux', 'mount'])
  const trial = [
    'ip link add port0 type veth peer name port1',
    'ip link add switch type bridge',
    `tc qdisc add dev port0 root tbf rate 1mbit burst ${BURST} latency ${QUEUE}`,
    'mount -t tmpfs tmpfs /dev/shm',
    'echo trial > /proc/sys/kernel/hostname',
  ]
  await run('unshare', ['--net', '--mount', '--uts', '/bin/sh', '-ec', trial.join('\n')])
}
