import { ConfigProblem } from './config-problem.ts'
import { readErlangText } from './erlang-text.ts'

/** What may be told of settings: never a value that could be a secret. */
const TOLD = new Set(['dbschema', 'dbdatabase'])

/**
 * Reads a settings file by its extension, as far as telling whether it is whole.
 * @returns the settings that may be told
 * @throws ConfigProblem
 */
export function readSettings(file: string, bytes: Buffer): Map<string, string> {
  const text = decode(bytes)
  const extension = file.slice(file.lastIndexOf('.') + 1).toLowerCase()
  if (text.trim() === '') throw new ConfigProblem('it is empty')
  if (extension === 'config' || extension === 'erl' || extension === 'app') return readErlangText(text, TOLD)
  if (extension === 'json') return readJson(text)
  if (extension === 'yaml' || extension === 'yml') return readYaml(text)
  return new Map()
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // Erlang took settings for Latin-1 until they said otherwise
    return bytes.toString('latin1')
  }
}

function readJson(text: string): Map<string, string> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ConfigProblem('it is no JSON')
  }
  const settings = new Map<string, string>()
  if (typeof value !== 'object' || value === null) throw new ConfigProblem('it holds no settings')
  const visit = (entry: object, depth: number) => {
    for (const [key, inner] of Object.entries(entry)) {
      if (typeof inner === 'string' && TOLD.has(key)) settings.set(key, inner)
      else if (typeof inner === 'object' && inner !== null && depth < 4) visit(inner, depth + 1)
    }
  }
  visit(value, 0)
  return settings
}

const YAML_SETTING = /^ *(?:- +)*(?:"([^"]+)"|'([^']+)'|([\w./-]+)) *:(?: +(.*))?$/

/** Not a whole reader of YAML: each line must be able to be a setting or an entry of a list, and something must be set. */
function readYaml(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let count = 0
  let textIndent: number | null = null
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#.*)?$/.test(line) || /^(?:---|\.\.\.|%YAML)/.test(line)) continue
    const indent = line.length - line.trimStart().length
    if (textIndent !== null && indent > textIndent) continue
    textIndent = null
    if (/^ *\t/.test(line)) throw new ConfigProblem(`line ${index + 1}: a tab indents it, which YAML does not take`)
    const [, double, single, plain, value = ''] = YAML_SETTING.exec(line) ?? []
    const key = double ?? single ?? plain
    if (key === undefined) {
      if (/^ *(?:-(?: |$)|[[\]{}",'])/.test(line)) continue
      throw new ConfigProblem(`line ${index + 1}: it is neither a setting nor an entry of a list`)
    }
    count += 1
    if (/^[|>][+-]?\d*\s*$/.test(value)) textIndent = indent
    if (TOLD.has(key)) settings.set(key, value.replace(/\s+#.*$/, '').replace(/^(["'])(.*)\1$/, '$2'))
  }
  if (count === 0) throw new ConfigProblem('it sets nothing')
  return settings
}
