import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { matchesPattern } from './known-hosts-line.ts'

const MAX_FILE = 1024 * 1024
const MAX_DEPTH = 16
const MAX_SECTIONS = 10_000

/** A `Host` section, or what stands before the first; its values in their order. */
export interface ConfigSection {
  /** Lists of host patterns, each of which must fit; null: a condition that is not looked at, never in force. */
  conditions: readonly (readonly string[])[] | null
  values: { key: string; value: string }[]
}

/**
 * `~/.ssh/config`, with what it includes. Of `Match`, only `Match all` is known: the others ask for programs to be run, or for
 * what is not known here. Source: ssh_config(5).
 */
export function readSshConfig(userHome: string): Promise<ConfigSection[]> {
  return readSections(join(userHome, '.ssh', 'config'), userHome, [], 0)
}

async function readSections(
  file: string,
  userHome: string,
  outer: ConfigSection['conditions'],
  depth: number,
): Promise<ConfigSection[]> {
  const and = (patterns: string[] | null) => (outer === null || patterns === null ? null : [...outer, patterns])
  let conditions = outer
  const sections: ConfigSection[] = [{ conditions, values: [] }]
  for (const line of (await readText(file)).split('\n')) {
    const [keyword, ...words] = wordsOf(line)
    if (keyword === undefined || sections.length > MAX_SECTIONS) continue
    const key = keyword.toLowerCase()
    if (key === 'host' || key === 'match') {
      conditions = and(key === 'host' ? words : words.join(' ').toLowerCase() === 'all' ? ['*'] : null)
      sections.push({ conditions, values: [] })
    } else if (key === 'include') {
      if (depth >= MAX_DEPTH) continue
      for (const pattern of words) {
        for (const included of await expand(pattern, userHome)) {
          sections.push(...(await readSections(included, userHome, conditions, depth + 1)))
        }
      }
      sections.push({ conditions, values: [] })
    } else sections.at(-1)?.values.push({ key, value: words.join(' ') })
  }
  return sections
}

/** The values of one setting that are in force for a host, in their order: mostly, the first counts. */
export function valuesFor(sections: readonly ConfigSection[], host: string, key: string): string[] {
  return sections
    .filter(({ conditions }) => conditions?.every((patterns) => fits(host, patterns)))
    .flatMap(({ values }) => values.filter((entry) => entry.key === key).map(({ value }) => value))
}

/** The names that the file gives to hosts: those of its sections that are no patterns. */
export function namesIn(sections: readonly ConfigSection[]): string[] {
  const names = sections.flatMap(({ conditions }) => conditions?.flat() ?? []).filter((name) => !/[*?!]/.test(name))
  return [...new Set(names)]
}

function fits(host: string, patterns: readonly string[]): boolean {
  const name = host.toLowerCase()
  const matches = (pattern: string) => matchesPattern(name, pattern.toLowerCase())
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern))
}

/** `Key value "with quotes"`, also `Key=value`; a comment starts a line or stands after a space. */
function wordsOf(line: string): string[] {
  const words = [...line.trim().matchAll(/"([^"]*)"|[^\s"]+/g)].map((match) => match[1] ?? match[0])
  const comment = words.findIndex((word, index) => word.startsWith('#') && (index === 0 || !line.includes(`"${word}`)))
  const told = comment < 0 ? words : words.slice(0, comment)
  const [first, ...rest] = told
  if (first === undefined) return []
  const equals = first.indexOf('=')
  if (equals > 0) return [first.slice(0, equals), first.slice(equals + 1), ...rest].filter((word) => word !== '')
  if (rest[0] === '=') return [first, ...rest.slice(1)]
  if (rest[0]?.startsWith('=')) return [first, rest[0].slice(1), ...rest.slice(1)]
  return told
}

/** The files that an `Include` names: below `~/.ssh` unless absolute; `*` and `?` stand for parts of file names. */
async function expand(pattern: string, userHome: string): Promise<string[]> {
  const path = pattern.startsWith('~/') ? join(userHome, pattern.slice(2)) : pattern
  const full = isAbsolute(path) ? path : join(userHome, '.ssh', path)
  if (!/[*?]/.test(basename(full))) return [full]
  const names = await readdir(dirname(full)).catch(() => [])
  return names
    .filter((name) => !name.startsWith('.') && matchesPattern(name, basename(full)))
    .sort()
    .map((name) => join(dirname(full), name))
}

async function readText(file: string): Promise<string> {
  try {
    const facts = await stat(file)
    return facts.isFile() && facts.size <= MAX_FILE ? await readFile(file, 'utf8') : ''
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
