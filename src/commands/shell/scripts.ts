/** Completion scripts, made from the manifest: command words, options, and namespace paths asked from the cluster. */
import type { CommandFacts } from '../manifest.ts'

interface Tree {
  /** Next words after a prefix: '' > fs, start …; 'fs' > ls, cat … */
  readonly words: ReadonlyMap<string, readonly { readonly word: string; readonly summary: string }[]>
  /** Options after a whole command. */
  readonly options: ReadonlyMap<
    string,
    readonly {
      readonly name: string
      readonly char: string
      readonly summary: string
      readonly value: boolean
    }[]
  >
}

export function tree(commands: readonly CommandFacts[]): Tree {
  const words = new Map<string, { word: string; summary: string }[]>()
  const options = new Map<string, { name: string; char: string; summary: string; value: boolean }[]>()
  for (const command of commands) {
    const parts = command.id.split(':')
    for (const [i, word] of parts.entries()) {
      const prefix = parts.slice(0, i).join(' ')
      const next = words.get(prefix) ?? []
      if (!next.some((entry) => entry.word === word))
        next.push({ word, summary: i === parts.length - 1 ? (command.summary ?? '') : '' })
      words.set(prefix, next)
    }
    const flags = Object.values(command.flags).map((flag) => ({
      name: `--${flag.name}`,
      char: flag.char === undefined ? '' : `-${flag.char}`,
      summary: flag.summary ?? '',
      value: flag.type === 'option',
    }))
    options.set(parts.join(' '), flags)
  }
  return { words, options }
}

/** Prints the children of a folder for a completion, directories with a slash, or nothing when no cluster answers. */
const LISTING = 'alluxio fs ls -Dalluxio.user.rpc.retry.max.duration=1s --json-lines'
const EXTRACT = `sed -n 's/.*"path":"\\([^"]*\\)".*"folder":\\(true\\|false\\).*/\\1 \\2/p' | sed 's/ true$/\\//; s/ false$//'`

export function bashScript(commands: readonly CommandFacts[]): string {
  const { words, options } = tree(commands)
  const cases = [
    ...[...words].map(
      ([prefix, next]) => `    '${prefix}') words='${next.map(({ word }) => word).join(' ')}' ;;`,
    ),
  ]
  const flags = [...options].map(
    ([command, list]) =>
      `    '${command}') options='${list
        .flatMap(({ name, char }) => [name, char])
        .filter(Boolean)
        .join(' ')}' ;;`,
  )
  return `# bash completion of alluxio: source <(alluxio completion bash)
_alluxio_paths() {
  local folder=\${1%/*}/
  ${LISTING} "$folder" 2>/dev/null | ${EXTRACT}
}
_alluxio() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prefix='' word words='' options='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ $word == -* || $word == /* ]] && continue
    prefix="\${prefix:+$prefix }$word"
  done
  case $prefix in
${cases.join('\n')}
  esac
  case $prefix in
${flags.join('\n')}
  esac
  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ $cur == /* && $prefix == fs* ]]; then
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$(_alluxio_paths "$cur")" -- "$cur"))
    [[ \${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
  else COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o default -F _alluxio alluxio
`
}

export function zshScript(commands: readonly CommandFacts[]): string {
  const { words, options } = tree(commands)
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
  const describe = (word: string, summary: string): string =>
    quote(`${word.replaceAll(':', '\\:')}:${summary}`)
  const cases = [...words].map(
    ([prefix, next]) =>
      `    ${quote(prefix)}) entries=(${next.map(({ word, summary }) => describe(word, summary)).join(' ')}) ;;`,
  )
  const flags = [...options].map(
    ([command, list]) =>
      `    ${quote(command)}) options=(${list.flatMap(({ name, char, summary }) => [name, char].filter(Boolean).map((text) => describe(text, summary))).join(' ')}) ;;`,
  )
  return `#compdef alluxio
# zsh completion of alluxio: put this on $fpath as _alluxio
_alluxio() {
  local prefix='' word i
  local -a entries options
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    [[ $word == -* || $word == /* ]] && continue
    prefix="\${prefix:+$prefix }$word"
  done
  case $prefix in
${cases.join('\n')}
  esac
  case $prefix in
${flags.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then _describe option options
  elif [[ $PREFIX == /* && $prefix == fs* ]]; then
    local -a paths
    paths=(\${(f)"$(${LISTING} "\${PREFIX%/*}/" 2>/dev/null | ${EXTRACT})"})
    compadd -S '' -- $paths
  else _describe command entries || _files
  fi
}
_alluxio "$@"
`
}

export function fishScript(commands: readonly CommandFacts[]): string {
  const { words, options } = tree(commands)
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = [
    '# fish completion of alluxio: put this in ~/.config/fish/completions/alluxio.fish',
    'function __alluxio_at',
    "    set -l words (string match -v -r '^[-/]' -- (commandline -opc)[2..])",
    '    test "$words" = "$argv[1]"',
    'end',
    'function __alluxio_paths',
    "    set -l folder (string replace -r '[^/]*$' '' -- (commandline -ct))",
    `    ${LISTING} "$folder" 2>/dev/null | ${EXTRACT}`,
    'end',
    'complete -c alluxio -f',
  ]
  for (const [prefix, next] of words) {
    for (const { word, summary } of next) {
      lines.push(
        `complete -c alluxio -n ${quote(`__alluxio_at "${prefix}"`)} -a ${quote(word)} -d ${quote(summary)}`,
      )
    }
  }
  for (const [command, list] of options) {
    for (const { name, char, summary, value } of list) {
      const short = char === '' ? '' : ` -s ${char.slice(1)}`
      lines.push(
        `complete -c alluxio -n ${quote(`__alluxio_at "${command}"`)} -l ${name.slice(2)}${short}${value ? ' -x' : ''} -d ${quote(summary)}`,
      )
    }
  }
  lines.push(`complete -c alluxio -n 'string match -q "/*" -- (commandline -ct)' -a '(__alluxio_paths)'`)
  return `${lines.join('\n')}\n`
}
