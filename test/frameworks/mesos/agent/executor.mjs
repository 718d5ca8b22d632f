// Stands for Mesos' command executor, which the library does not bring: runs the one task that it is given, and speaks the executor
// API to its agent.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'

const { MESOS_SLAVE_PID, MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID } = process.env
const [, agent, host, port] = /^(.*)@(.*):(\d+)$/.exec(MESOS_SLAVE_PID)
const self = { framework_id: { value: MESOS_FRAMEWORK_ID }, executor_id: { value: MESOS_EXECUTOR_ID } }
const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json' }
let child
let killed = false

function send(call, onAnswer = (answer) => answer.resume()) {
  const options = { host, port, path: `/${agent}/api/v1/executor`, method: 'POST', headers: JSON_TYPE }
  return new Promise((resolve, reject) => {
    const sent = request(options, (answer) => {
      onAnswer(answer)
      resolve()
    })
    sent.on('error', reject)
    sent.end(JSON.stringify({ ...self, ...call }))
  })
}

function tell(task_id, state, message) {
  // Agents refuse what is no UUID of a known version.
  const uuid = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64')
  const { executor_id } = self
  const status = {
    task_id,
    state,
    message,
    uuid,
    executor_id,
    source: 'SOURCE_EXECUTOR',
    timestamp: Date.now() / 1000,
  }
  return send({ type: 'UPDATE', update: { status } })
}

async function launch({ task_id, command }) {
  const variables = (command.environment?.variables ?? []).map(({ name, value }) => [name, value])
  const [program, ...args] = command.shell === false ? command.arguments : ['sh', '-c', command.value]
  child = spawn(program, args, {
    env: { ...process.env, ...Object.fromEntries(variables) },
    stdio: 'inherit',
  })
  child.once('error', (error) => end(task_id, 'TASK_FAILED', error.message))
  child.once('exit', (code, signal) => {
    const state = killed ? 'TASK_KILLED' : code === 0 ? 'TASK_FINISHED' : 'TASK_FAILED'
    end(task_id, state, `Command ended with ${signal ?? code}`)
  })
  await tell(task_id, 'TASK_RUNNING', '')
}

async function end(task_id, state, message) {
  await tell(task_id, state, message)
  // The agent has to have passed it on.
  setTimeout(() => process.exit(0), 1000)
}

function stop() {
  killed = true
  if (child === undefined) process.exit(0)
  child.kill()
}

function on(event) {
  if (event.type === 'LAUNCH') launch(event.launch.task)
  else if (event.type === 'LAUNCH_GROUP') launch(event.launch_group.task_group.tasks[0])
  else if (event.type === 'KILL' || event.type === 'SHUTDOWN') stop()
}

send({ type: 'SUBSCRIBE', subscribe: { unacknowledged_tasks: [], unacknowledged_updates: [] } }, (stream) => {
  let read = Buffer.alloc(0)
  stream.on('data', (chunk) => {
    read = Buffer.concat([read, chunk])
    for (;;) {
      const newline = read.indexOf('\n')
      const length = newline < 0 ? Number.NaN : Number(read.subarray(0, newline))
      if (!(read.length >= newline + 1 + length)) return
      on(JSON.parse(read.subarray(newline + 1, newline + 1 + length)))
      read = read.subarray(newline + 1 + length)
    }
  })
  stream.on('end', stop)
})
