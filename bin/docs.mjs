// Writes docs/reference/{cli,configuration,errors,metrics}.md from the declarations they describe; `--check` fails when one is stale.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMMANDS } from '../src/commands/explicit.ts'
import { declaredOptions, environmentName } from '../src/core/config/index.ts'
import { ERROR_CODES, formatBytes } from '../src/core/index.ts'
import '../src/core/options/index.ts'

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'reference')
const NOTE = '<!-- Written by `npm run docs` from the sources: do not edit. -->\n'
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')

function cli() {
  const ids = Object.keys(COMMANDS).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  const lines = [
    '# Command line',
    '',
    NOTE,
    'Every command also takes, anywhere before `--`:',
    '',
    '| option | meaning |',
    '| --- | --- |',
    ...flagRows(Object.values(COMMANDS)[0].baseFlags),
    '',
    'Results go to standard output, everything else to standard error. Exit statuses are those of [errors](errors.md);',
    '`fs test` answers with 0 and 1. With `--json` an error is one object, `{"error": {"code", "reason", "message", "suggestions", "retryable"}}`.',
    'Paths are `/folder/file` or `alluxio://host:port/folder/file`. `*` in a name is expanded by the command, so quote it; `\\*` is a star.',
    'A command of several paths goes on after a failure, and then fails with the first one.',
    '',
    ...ids.map(
      (id) =>
        `- [${id.replaceAll(':', ' ')}](#${id.replaceAll(':', '-').toLowerCase()}): ${COMMANDS[id].summary}`,
    ),
  ]
  for (const id of ids) lines.push('', ...commandSection(id, COMMANDS[id]))
  return `${lines.join('\n')}\n`
}

function commandSection(id, command) {
  const args = Object.entries(command.args ?? {})
  const flags = flagRows(command.flags ?? {})
  return [
    `## ${id.replaceAll(':', ' ')}`,
    '',
    command.summary,
    ...(command.description === undefined ? [] : ['', command.description]),
    '',
    '```',
    `alluxio ${command.usage}`,
    '```',
    ...(args.length === 0
      ? []
      : [
          '',
          '| argument | meaning |',
          '| --- | --- |',
          ...args.map(
            ([name, arg]) =>
              `| \`${name}\`${arg.required ? '' : ' (optional)'} | ${cell(arg.description)}${choices(arg)} |`,
          ),
        ]),
    ...(flags.length === 0 ? [] : ['', '| option | meaning |', '| --- | --- |', ...flags]),
    ...(command.examples === undefined ? [] : ['', 'Examples:', '', '```', ...command.examples, '```']),
  ]
}

function flagRows(flags) {
  return Object.entries(flags).map(([name, flag]) => {
    const short = [flag.char, ...(flag.charAliases ?? [])].filter(Boolean).map((char) => `\`-${char}\`, `)
    const value = flag.type === 'option' ? ` ${flag.helpValue ?? `<${name}>`}` : ''
    return `| ${short.join('')}\`--${name}${value}\` | ${cell(flag.summary ?? '')}${choices(flag)}${flag.default === undefined ? '' : ` (default ${flag.default})`} |`
  })
}

function choices({ options }) {
  return options === undefined ? '' : ` One of ${options.map((option) => `\`${option}\``).join(', ')}.`
}

function configuration() {
  const options = [...declaredOptions().values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const lines = [
    '# Configuration',
    '',
    NOTE,
    'A value comes from, in this order, the last one winning: the default; `alluxio-site.properties` in `conf/` of the installation, then in `conf/`',
    'of the data folder (or in `$ALLUXIO_CONF_DIR` alone); the environment (`alluxio.master.rpc.port` is `ALLUXIO_MASTER_RPC_PORT`); `-Dkey=value`.',
    'Sizes are `64MB`, durations `10s`, lists have commas. `alluxio getConf --source` shows what holds and why.',
    `The data folder itself is \`$ALLUXIO_DATA\`. Keys below ${['alluxio.underfs.', 'alluxio.master.mount.table.root.option.', 's3a.'].map((prefix) => `\`${prefix}\``).join(', ')} that are not listed are handed to the stores.`,
  ]
  for (const scope of ['all', 'master', 'worker', 'user', 'proxy']) {
    const chosen = options.filter((option) => option.scope === scope)
    if (chosen.length === 0) continue
    lines.push(
      '',
      `## ${scope === 'all' ? 'Everywhere' : scope}`,
      '',
      '| key | type | default | meaning |',
      '| --- | --- | --- | --- |',
    )
    for (const option of chosen) {
      lines.push(
        `| \`${option.key}\` | ${option.type}${option.values === undefined ? '' : `: ${option.values.join(', ')}`} | ${defaultText(option)} | ${cell(option.doc)} |`,
      )
    }
  }
  lines.push('', `Environment names: for example \`${environmentName('alluxio.worker.ramdisk.size')}=2GB\`.`)
  return `${lines.join('\n')}\n`
}

function defaultText({ default: value, type }) {
  if (value === undefined || value === '') return ''
  if (type === 'bytes' && typeof value === 'number') return `\`${formatBytes(value).replace('.00', '')}\``
  if (type === 'duration' && typeof value === 'number')
    return `\`${value < 0 ? value : value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`}\``
  return `\`${value}\``
}

const MEANING = {
  INVALID_ARGUMENT: 'Wrong words, values or configuration.',
  NOT_FOUND: 'A path, block, mount or file does not exist.',
  ALREADY_EXISTS: 'The path is taken.',
  NOT_A_DIRECTORY: 'A file stands where a directory is needed.',
  IS_A_DIRECTORY: 'A directory stands where a file is needed.',
  DIRECTORY_NOT_EMPTY: 'The directory has children; say recursive.',
  PERMISSION_DENIED: 'The user may not do this.',
  UNAUTHENTICATED: 'Nobody vouches for the user, or credentials of a store are wrong.',
  CONFLICT: 'Something changed or is held meanwhile: a lease, a version, a running daemon.',
  OUT_OF_RANGE: 'A position beyond the end.',
  RESOURCE_EXHAUSTED: 'No space, no quota, or too many requests.',
  UNAVAILABLE: 'The peer does not answer, is not the leader, or a port is taken.',
  TIMEOUT: 'No answer in time; whether it happened is not known.',
  CANCELLED: 'The caller gave up (SIGINT).',
  DATA_LOSS: 'Bytes are damaged and no good copy is left.',
  UNSUPPORTED: 'This version, or this store, cannot do it.',
  INTERNAL: 'A fault of ours: please report it.',
}

function errors() {
  const lines = [
    '# Errors',
    '',
    NOTE,
    'One table for the wire, HTTP, the command line and Hadoop. `reason` is a finer word beside the code, such as `ADDRESS_IN_USE`.',
    '',
    '| code | meaning | try again | exit | HTTP | wire | Hadoop |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...Object.entries(ERROR_CODES).map(
      ([code, { retry, exit, http, wire, hadoop }]) =>
        `| ${code} | ${MEANING[code]} | ${retry} | ${exit} | ${http} | ${wire} | ${hadoop} |`,
    ),
    '',
    'SIGINT ends a command with 130. A reader that closes its pipe (`| head`) ends it silently with 0.',
  ]
  return `${lines.join('\n')}\n`
}

/** Each metric is declared where it is counted, by a name and a text that stand there in full. */
function metrics() {
  const sources = readdirSync(join(folder, '../../src'), { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  const declared = /\b(counter|gauge|observe|histogram)s?\(\s*'(alluxio_\w+)',\s*(?:'([^']*)'|"([^"]*)")/g
  const rows = sources.flatMap((text) =>
    [...text.matchAll(declared)].map(([, kind, name, single, double]) => {
      const type = kind === 'observe' ? 'gauge' : kind
      return `| \`${name}\` | ${type} | ${cell(single ?? double)} |`
    }),
  )
  const names = new Set(
    sources.flatMap((text) => [...text.matchAll(/'(alluxio_\w+)',/g)].map(([, name]) => name)),
  )
  const missing = [...names].filter((name) => !rows.some((row) => row.includes(`\`${name}\``)))
  if (missing.length > 0) throw new Error(`metrics without a text in full: ${missing.join(', ')}`)
  const lines = [
    '# Metrics',
    '',
    NOTE,
    'Every daemon serves the ones that it has at `/metrics` of its HTTP port, in the text format of Prometheus; the proxy at that of',
    'WebHDFS. Histograms are in seconds.',
    '',
    '| metric | type | meaning |',
    '| --- | --- | --- |',
    ...rows.sort(),
  ]
  return `${lines.join('\n')}\n`
}

const pages = {
  'cli.md': cli(),
  'configuration.md': configuration(),
  'errors.md': errors(),
  'metrics.md': metrics(),
}
const check = process.argv.includes('--check')
mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(pages)) {
  const file = join(folder, name)
  if (!check) writeFileSync(file, text)
  else if (current(file) !== text) {
    console.error(`docs/reference/${name} is stale: run npm run docs`)
    process.exitCode = 1
  }
}

function current(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // not written yet
  }
}
