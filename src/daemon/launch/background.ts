/** Starts, watches and stops one daemon process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { resolve } from 'node:path'
import type { Config } from '../../core/config/index.ts'
import { AlluxioError, type DaemonState, type Runtime, sleep } from '../../core/index.ts'
import { DATA } from '../../core/options/index.ts'
import { type DaemonFacts, type DaemonName, daemonFacts, type LaunchModules, reachable } from './facts.ts'
import { openLog, tailLog } from './log-file.ts'
import { type ProcessNote, readNote, runningProcess } from './pid-file.ts'
import { checkPort } from './ports.ts'

const POLL_MS = 25
const HEALTH_TIMEOUT_MS = 2_000
const TAIL_LINES = 15

export interface DaemonStatus extends DaemonFacts {
  /** `absent`: nobody runs it; `crashed`: its pid file names a process that is gone; `silent`: it runs but does not answer. */
  readonly state: DaemonState | 'absent' | 'crashed' | 'silent'
  readonly pid?: number
  readonly startedMs?: number
}

export interface StartOptions {
  readonly name: DaemonName
  /** Longest wait until it serves. */
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

export async function daemonStatus(config: Config, name: DaemonName): Promise<DaemonStatus> {
  const facts = daemonFacts(config, name)
  const running = runningProcess(facts.pidFile)
  if (running === undefined) {
    return { ...facts, state: readNote(facts.pidFile) === undefined ? 'absent' : 'crashed' }
  }
  const { pid, startedMs } = running
  const seen = {
    ...facts,
    rpc: { ...facts.rpc, port: running.rpcPort },
    web: { ...facts.web, port: running.webPort },
  }
  return { ...seen, pid, startedMs, state: (await health(seen)) ?? 'silent' }
}

/**
 * Starts a daemon in the background and returns when it serves; one that runs already is left alone.
 * @returns its pid and whether it was started now
 * @throws UNAVAILABLE: port in use (ADDRESS_IN_USE), ended while starting or not ready in time, with its last log lines
 */
export async function startDaemon(
  config: Config,
  options: StartOptions,
  modules: LaunchModules,
): Promise<{ readonly pid: number; readonly started: boolean }> {
  const facts = daemonFacts(config, options.name)
  const running = runningProcess(facts.pidFile)
  if (running !== undefined) {
    refuseOtherPorts(facts, running)
    await untilServing(facts, options, modules.runtime, () => runningProcess(facts.pidFile) !== undefined, 0)
    return { pid: running.pid, started: false }
  }
  for (const port of [facts.rpc, facts.web])
    await checkPort(port, `the ${port.protocol} port of the ${facts.name}`)
  const log = openLog(facts.logFile)
  const logStart = statSync(facts.logFile).size
  const child = launch(config, facts.name, log, modules)
  closeSync(log)
  try {
    await untilServing(
      facts,
      options,
      modules.runtime,
      () => child.exitCode === null && child.signalCode === null,
      logStart,
    )
  } catch (error) {
    child.kill('SIGKILL')
    rmSync(facts.pidFile, { force: true })
    throw error
  }
  child.unref()
  return { pid: child.pid ?? 0, started: true }
}

/** What was asked for cannot be had from the daemon that runs. */
function refuseOtherPorts({ name, rpc, web }: DaemonFacts, running: ProcessNote): void {
  if (running.rpcPort === rpc.port && running.webPort === web.port) return
  throw new AlluxioError(
    'CONFLICT',
    `the ${name} runs already (pid ${running.pid}) on ports ${running.rpcPort} and ${running.webPort}, not on ${rpc.port} and ${web.port}`,
    {
      reason: 'ALREADY_RUNNING',
      details: {
        suggestions: [
          `Stop it first: alluxio stop ${name}`,
          `or use its ports: -D${rpc.key}=${running.rpcPort} -D${web.key}=${running.webPort}`,
        ],
      },
    },
  )
}

/**
 * Ends a daemon: SIGTERM, and SIGKILL when it has not gone within the deadline.
 * @returns how it went; `absent` when none ran
 */
export async function stopDaemon(
  config: Config,
  options: { readonly name: DaemonName; readonly deadlineMs: number },
  { runtime }: Pick<LaunchModules, 'runtime'>,
): Promise<'absent' | 'stopped' | 'killed'> {
  const { pidFile } = daemonFacts(config, options.name)
  const running = runningProcess(pidFile)
  if (running === undefined) {
    rmSync(pidFile, { force: true })
    return 'absent'
  }
  const gone = async (deadlineMs: number): Promise<boolean> => {
    const end = runtime.monotonic() + deadlineMs
    while (runningProcess(pidFile)?.pid === running.pid) {
      if (runtime.monotonic() > end) return false
      await sleep(runtime, POLL_MS)
    }
    return true
  }
  signal(running.pid, 'SIGTERM')
  if (await gone(options.deadlineMs)) return 'stopped'
  signal(running.pid, 'SIGKILL')
  if (await gone(5_000)) {
    rmSync(pidFile, { force: true })
    return 'killed'
  }
  throw new AlluxioError(
    'TIMEOUT',
    `the ${options.name} (pid ${running.pid}) does not end, not even by SIGKILL: its disk may hang`,
  )
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EPERM')
      throw new AlluxioError('PERMISSION_DENIED', `process ${pid} belongs to another user`, { cause: error })
    if (code !== 'ESRCH') throw error
  }
}

function launch(
  config: Config,
  name: DaemonName,
  log: number,
  { command, env }: LaunchModules,
): ChildProcess {
  const properties = config.explicitProperties().map((property) => `-D${property}`)
  const [node, script] = command
  const child = spawn(node, [script, 'daemon', name, ...properties], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...env, ALLUXIO_DATA: resolve(config.get(DATA)) },
  })
  child.on('error', () => {}) // seen as an end without a word in the log
  return child
}

async function untilServing(
  facts: DaemonFacts,
  { deadlineMs, signal }: StartOptions,
  runtime: Runtime,
  alive: () => boolean,
  logStart: number,
): Promise<void> {
  const end = runtime.monotonic() + deadlineMs
  for (;;) {
    if (!alive()) throw failed(facts, 'ended while it was starting', logStart)
    if (existsSync(facts.pidFile) && (await health(facts)) === 'serving') return
    if (runtime.monotonic() > end)
      throw failed(facts, `did not serve within ${deadlineMs / 1000} s`, logStart)
    await sleep(runtime, POLL_MS, signal)
  }
}

function failed({ name, logFile, needs }: DaemonFacts, what: string, logStart: number): AlluxioError {
  const lines = tailLog(logFile, TAIL_LINES, logStart)
  const quoted = lines.length === 0 ? '' : `\nIts last words:\n  ${lines.join('\n  ')}`
  const suggestions = [
    ...(needs === undefined ? [] : [`It serves when its master answers at ${needs}: alluxio start master`]),
    `The whole log: ${logFile}`,
  ]
  return new AlluxioError('UNAVAILABLE', `the ${name} ${what}.${quoted}`, {
    reason: 'START_FAILED',
    details: { logFile, suggestions },
  })
}

/** The daemon's state as its HTTP door tells it; undefined when it does not answer. */
function health({ web }: DaemonFacts): Promise<DaemonState | undefined> {
  return new Promise((done) => {
    const call = request(
      {
        host: reachable(web.host),
        port: web.port,
        path: '/healthz',
        timeout: HEALTH_TIMEOUT_MS,
        agent: false,
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => {
          try {
            done((JSON.parse(text) as { state: DaemonState }).state)
          } catch {
            done(undefined) // something else answers on this port
          }
        })
      },
    )
    call.on('timeout', () => call.destroy())
    call.on('error', () => done(undefined))
    call.end()
  })
}
