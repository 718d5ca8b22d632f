/** What Spark's event log tells of the tasks that read something. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface InputTask {
  /** Of the job. */
  readonly group: string
  readonly locality: string
  readonly host: string
  readonly executor: string
}

interface Event {
  readonly Event: string
  readonly 'Stage IDs'?: readonly number[]
  readonly 'Stage ID'?: number
  readonly Properties?: Readonly<Record<string, string>>
  readonly 'Task Info'?: { readonly Locality: string; readonly Host: string; readonly 'Executor ID': string }
  readonly 'Task Metrics'?: { readonly 'Input Metrics': { readonly 'Bytes Read': number } }
}

/** @param folder of `spark.eventLog.dir`, with the log of one program; Spark 4 writes folders of files */
export function inputTasks(folder: string): InputTask[] {
  const groups = new Map<number, string>()
  const tasks: InputTask[] = []
  for (const event of events(folder)) {
    if (event.Event === 'SparkListenerJobStart') {
      const group = event.Properties?.['spark.jobGroup.id'] ?? ''
      for (const stage of event['Stage IDs'] ?? []) groups.set(stage, group)
    }
    if (event.Event !== 'SparkListenerTaskEnd') continue
    const { 'Task Info': info, 'Task Metrics': metrics, 'Stage ID': stage } = event
    if (info === undefined || (metrics?.['Input Metrics']['Bytes Read'] ?? 0) === 0) continue
    const { Locality: locality, Host: host, 'Executor ID': executor } = info
    tasks.push({ group: groups.get(stage!) ?? '', locality, host, executor })
  }
  return tasks
}

function events(folder: string): Event[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && !path.includes('appstatus'))
  return files.sort().flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event),
  )
}
