// Stands for Mesos' helper `mesos-containerizer`, which the library does not bring: waits for the agent's word, then becomes the
// command of the container. No isolation.
import { closeSync, readSync } from 'node:fs'

const PREFIX = 'MESOS_CONTAINERIZER_'
const { env } = process
const readEnd = env[`${PREFIX}PIPE_READ`]
const writeEnd = env[`${PREFIX}PIPE_WRITE`]
if (writeEnd !== undefined) closeSync(Number(writeEnd))
if (readEnd !== undefined) readSync(Number(readEnd), Buffer.alloc(1))

const { command, environment = {}, working_directory: folder } = JSON.parse(env[`${PREFIX}LAUNCH_INFO`])
const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith(PREFIX)))
for (const { name, value = '' } of environment.variables ?? []) own[name] = value
own.PATH ??= '/usr/local/bin:/usr/bin:/bin'
delete own.LD_LIBRARY_PATH
if (folder !== undefined) process.chdir(folder)
const isShell = command.shell ?? true
const words = isShell ? ['sh', '-c', command.value] : (command.arguments ?? [command.value])
process.execve(isShell ? '/bin/sh' : command.value, words, own)
