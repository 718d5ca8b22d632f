/**
 * A real Mesos 1.11 master with agents of different host names and regions, in one process, out of the library that PyPI's mesos.scheduler
 * brings. What it does not bring are the two helper programs of agents: `test/frameworks/mesos/agent` has stand-ins.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cached, ServerMissing } from './binary.ts'
import { debianPrograms, run } from './debian.ts'
import { freePort, ServerProcess, scratchFolder } from './process.ts'

const SOURCES = resolve('test/frameworks/mesos/agent')
const EGG = 'mesos.scheduler-1.11.0-py2.7-linux-x86_64.egg'
const EGG_SHA256 = '4940ebb70894ee004cf8a12b7b66b52a351be1070ec2a4e6f7dae4ec04f8cb61'
/** pip knows its index and takes no eggs. */
const FETCH = `
import hashlib, os, re, subprocess, sys, urllib.parse, urllib.request, zipfile
egg, digest, target = sys.argv[1:]
from pip._internal.models.index import PyPI
set_ = subprocess.run([sys.executable, '-m', 'pip', 'config', 'get', 'global.index-url'], capture_output=True, text=True)
index = os.environ.get('PIP_INDEX_URL') or set_.stdout.strip() or PyPI.simple_url
page = index.rstrip('/') + '/mesos-scheduler/'
text = urllib.request.urlopen(page, timeout=60).read().decode()
link = next(href for href in re.findall(r'href="([^"]+)"', text) if egg in href)
data = urllib.request.urlopen(urllib.parse.urljoin(page, link.split('#')[0]), timeout=300).read()
assert hashlib.sha256(data).hexdigest() == digest, 'the egg has the hash ' + hashlib.sha256(data).hexdigest()
open(target + '.egg', 'wb').write(data)
zipfile.ZipFile(target + '.egg').extract('mesos/scheduler/_scheduler.so', target)
`
/** Libraries of their time that the library wants: none of their functions is called here. */
const STUBS = [
  { name: 'libcrypto.so.1.0.0', versions: /^OPENSSL/, defines: true },
  { name: 'libssl.so.1.0.0', versions: /^OPENSSL/, defines: false },
  { name: 'libcurl.so.4', versions: /^CURL/, defines: true },
]

export interface MesosAgent {
  readonly hostname: string
  readonly region: string
}

/** @throws ServerMissing with the reason */
async function library(): Promise<string> {
  if (process.arch !== 'x64') throw new ServerMissing('Mesos: the library is for x64')
  await debianPrograms(['python3', 'g++', 'nm'], ['python3', 'g++', 'binutils'])
  await debianLibraries()
  const sources = ['local-cluster.cpp'].map((file) => join(SOURCES, file))
  return cached('mesos-1.11.0-1', async (scratch) => {
    const folder = join(scratch, 'mesos')
    mkdirSync(folder)
    await run('python3', ['-c', FETCH, EGG, EGG_SHA256, join(scratch, 'egg')])
    const so = join(folder, '_scheduler.so')
    await run('mv', [join(scratch, 'egg', 'mesos/scheduler/_scheduler.so'), so])
    await stubs(so, folder)
    await run('g++', ['-O1', '-rdynamic', '-o', join(folder, 'local-cluster'), ...sources, '-ldl'])
    return folder
  })
}

async function debianLibraries(): Promise<void> {
  const installed = async () => (await run('ldconfig', ['-p'])).includes('libsvn_delta-1.so')
  if (await installed()) return
  if (process.getuid?.() !== 0) throw new ServerMissing('libsvn1 is missing, and only root can install it')
  await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update']).catch(() => {})
  const options = ['-o', 'DPkg::Lock::Timeout=300', '-q', '-y', '--no-install-recommends']
  await run('apt-get', ['install', ...options, 'libsvn1'])
}

/** Shared libraries with the names and versions of the symbols that `so` leaves open; calling one says so. */
async function stubs(so: string, folder: string): Promise<void> {
  const open = (await run('nm', ['-D', '--undefined-only', so]))
    .split('\n')
    .map((line) => line.trim().split(/\s+/).at(-1) ?? '')
  const versioned = open
    .filter((name) => name.includes('@'))
    .map((name) => name.split(/@+/) as [string, string])
  for (const { name, versions, defines } of STUBS) {
    const wanted = versioned.filter(([, version]) => versions.test(version))
    const names = [...new Set(wanted.map(([, version]) => version))]
    const symbolsOf = (version: string) =>
      defines ? wanted.filter(([, of]) => of === version).map(([symbol]) => symbol) : []
    const map = names.map((version) => {
      const symbols = symbolsOf(version)
      return symbols.length === 0 ? `${version} { };` : `${version} { global: ${symbols.join('; ')}; };`
    })
    await shared(folder, name, functions(names.flatMap(symbolsOf)), map.join('\n'))
  }
  const python = open.filter((name) => /^_?Py/.test(name))
  const isData = (name: string) => /^(PyExc_|_Py_)/.test(name) || name.endsWith('_Type')
  const data = python.filter(isData).map((name) => `long ${name}[128];`)
  const code = functions(python.filter((name) => !isData(name)))
  await shared(folder, 'libpystub.so', `${code}\n${data.join('\n')}`, undefined)
}

function functions(names: readonly string[]): string {
  const stub = (name: string) => `long ${name}(void) { fprintf(stderr, "stub ${name}\\n"); return 0; }`
  return ['#include <stdio.h>', ...names.map(stub)].join('\n')
}

async function shared(folder: string, name: string, code: string, map: string | undefined): Promise<void> {
  const source = join(folder, `${name}.c`)
  writeFileSync(source, `${code}\n`)
  const script = join(folder, `${name}.map`)
  if (map !== undefined) writeFileSync(script, `${map}\n`)
  const versions = map === undefined ? [] : [`-Wl,--version-script=${script}`]
  const options = ['-shared', '-fPIC', '-w', `-Wl,-soname,${name}`, ...versions]
  await run('gcc', [...options, '-o', join(folder, name), source])
}

export class Mesos {
  readonly url: string
  readonly #process: ServerProcess
  readonly #folder: ReturnType<typeof scratchFolder>

  private constructor(url: string, process: ServerProcess, folder: ReturnType<typeof scratchFolder>) {
    this.url = url
    this.#process = process
    this.#folder = folder
  }

  /** @param resources of each agent, such as `cpus:2;mem:512`. @throws ServerMissing with the reason */
  static async start(agents: readonly MesosAgent[], resources: string): Promise<Mesos> {
    const home = await library()
    const folder = scratchFolder('mesos')
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const work = join(folder.path, 'work')
    const env = {
      LD_LIBRARY_PATH: home,
      LIBPROCESS_IP: '127.0.0.1',
      LIBPROCESS_PORT: String(port),
      LIBPROCESS_SSL_ENABLED: '0',
      LIBPROCESS_NUM_WORKER_THREADS: '4',
      MESOS_NUM_SLAVES: String(agents.length),
      MESOS_WORK_DIR: work,
      MESOS_RUNTIME_DIR: join(folder.path, 'run'),
      MESOS_RESOURCES: resources,
      MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
      MESOS_LAUNCHER: 'posix',
      MESOS_ISOLATION: 'posix/cpu,posix/mem',
      MESOS_LAUNCHER_DIR: helpers(folder.path),
      MESOS_SWITCH_USER: 'false',
      MESOS_ALLOCATION_INTERVAL: '500ms',
      MESOS_REGISTRY: 'in_memory',
      ...Object.fromEntries(agents.flatMap(agentEnvironment)),
    }
    mkdirSync(work)
    const server = new ServerProcess(
      { binary: join(home, 'local-cluster'), args: [join(home, '_scheduler.so')], env, startMs: 60_000 },
      async () => (await stateOf(url)).slaves.length === agents.length,
    )
    const mesos = new Mesos(url, server, folder)
    try {
      await server.start()
      return mesos
    } catch (error) {
      await mesos.stop()
      throw error
    }
  }

  get output(): string {
    return this.#process.output
  }

  state(): Promise<MesosState> {
    return stateOf(this.url)
  }

  /** Asks the master as an operator. */
  async operator<T>(call: Readonly<Record<string, unknown>>): Promise<T> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const body = JSON.stringify(call)
    const answer = await fetch(`${this.url}/master/api/v1`, { method: 'POST', headers, body })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`Mesos answers ${String(call.type)} with ${answer.status}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async stop(): Promise<void> {
    await this.#process.kill()
    this.#folder.remove()
  }
}

interface MesosTask {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly slave_id: string
}

interface MesosFrameworkState {
  readonly id: string
  readonly name: string
  readonly active: boolean
  readonly tasks: readonly MesosTask[]
  readonly completed_tasks: readonly MesosTask[]
  readonly offer_constraints?: unknown
}

export interface MesosState {
  readonly version: string
  readonly slaves: readonly { readonly id: string; readonly hostname: string }[]
  readonly frameworks: readonly MesosFrameworkState[]
  readonly completed_frameworks: readonly MesosFrameworkState[]
}

async function stateOf(url: string): Promise<MesosState> {
  return (await (await fetch(`${url}/master/state`)).json()) as MesosState
}

function agentEnvironment({ hostname, region }: MesosAgent, i: number): [string, string][] {
  const domain = { fault_domain: { region: { name: region }, zone: { name: `${region}-a` } } }
  return [
    [`AGENT_${i}_MESOS_HOSTNAME`, hostname],
    [`AGENT_${i}_MESOS_DOMAIN`, JSON.stringify(domain)],
  ]
}

/** A folder with the agents' helper programs. */
function helpers(folder: string): string {
  const path = join(folder, 'helpers')
  mkdirSync(path)
  for (const name of ['containerizer', 'executor']) {
    const program = join(path, `mesos-${name}`)
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(SOURCES, `${name}.mjs`)}'\n`)
    chmodSync(program, 0o755)
  }
  return path
}
