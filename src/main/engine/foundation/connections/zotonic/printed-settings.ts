import { isUtf8 } from 'node:buffer'
import { ImproperList, type Term, Tuple } from '#engine/foundation/erlang/terms.ts'
import { plainText, readTermText } from '#engine/foundation/erlang/text.ts'

/** A printed setting: its text, a list, or settings of their own by name. */
export type Setting = string | Setting[] | Settings
export type Settings = Map<string, Setting>

/** `key:` at the margin of its level, as Erlang prints the key: an atom, in quotes when it has to be, or a binary. */
const KEY = /^(?:([a-z][\w@]*)|'((?:[^'\\]|\\.)*)'|<<"((?:[^"\\]|\\.)*)"(?:\/utf8)?>>):(?: (.*))?$/

/** Deepest level of settings in settings. */
const MAX_LEVEL = 8

/**
 * Reads what `zotonic siteconfig` and `zotonic config` print: a line `key: value` for each setting; lists below their key as
 * `- item`; other values below a `>` as an Erlang term. Also takes settings that are one Erlang term as a whole. What is not
 * understood is left out. Source: docs/formats.md, "The server's command".
 */
export function readPrintedSettings(output: string): Settings {
  const text = output.replaceAll('\r\n', '\n')
  const body = text.replace(/^[^\n]*\n=+\n/, '').trimStart()
  if (/^(?:\[|#\{|\{)/.test(body)) {
    const settings = settingOf(termOrNull(body))
    return settings instanceof Map ? settings : new Map()
  }
  return readLevel(text.split('\n'), 0, 0)
}

function readLevel(lines: readonly string[], margin: number, level: number): Settings {
  const settings: Settings = new Map()
  let key: string | null = null
  let inline = ''
  let below: string[] = []
  const finish = () => {
    if (key === null) return
    const value = readValue(inline, below, level)
    if (value !== null) settings.set(key, value)
  }
  for (const line of lines) {
    const found = indentOf(line) === margin ? KEY.exec(line.slice(margin)) : null
    if (!found) {
      below.push(line)
      continue
    }
    finish()
    key = found[1] ?? unescaped(found[2] ?? found[3] ?? '')
    inline = found[4] ?? ''
    below = []
  }
  finish()
  return settings
}

function readValue(inline: string, below: readonly string[], level: number): Setting | null {
  const lines = below.filter((line) => line.trim() !== '')
  const first = lines[0]
  if (first === undefined) return inline === '' ? null : printedText(inline)
  if (inline.trim() === '>') return settingOf(termOrNull(lines.join('\n')))
  // a text of several lines, or a term that was wrapped: none that is asked for
  if (inline !== '') return printedText([inline, ...below].join('\n').trimEnd())
  const margin = indentOf(first)
  if (margin === 0 || level >= MAX_LEVEL) return null
  return first.startsWith('- ', margin) ? readItems(lines, margin) : readLevel(lines, margin, level + 1)
}

function readItems(lines: readonly string[], margin: number): Setting[] {
  const items: Setting[] = []
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    const below: string[] = []
    for (at += 1; at < lines.length && !isItem(lines[at] ?? '', margin); at += 1) below.push(lines[at] ?? '')
    if (!isItem(line, margin)) continue
    const inline = line.slice(margin + 2)
    const value = inline.trim() === '>' ? settingOf(termOrNull(below.join('\n'))) : printedText([inline, ...below].join('\n'))
    if (value !== null) items.push(value)
  }
  return items
}

function isItem(line: string, margin: number): boolean {
  return indentOf(line) === margin && line.startsWith('- ', margin)
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}

function termOrNull(text: string): Term | null {
  try {
    return readTermText(text)
  } catch {
    // one setting of a kind that is not known hides no other
    return null
  }
}

/** A list of pairs is settings, as is a map; a tuple is a list. */
function settingOf(term: Term | null, level = 0): Setting | null {
  if (term === null || level > MAX_LEVEL) return null
  const text = plainText(term)
  if (text !== null) return text
  if (term instanceof Map) return settingsOf([...term], level)
  if (term instanceof Tuple) return settingsIn(term.items, level)
  if (term instanceof ImproperList || !Array.isArray(term)) return null
  const pairs = term.map((item) => (item instanceof Tuple && item.items.length === 2 ? item.items : null))
  const isPairs = term.length > 0 && pairs.every((pair) => pair !== null && plainText(pair[0] ?? []) !== null)
  if (!isPairs) return settingsIn(term, level)
  return settingsOf(pairs as [Term, Term][], level)
}

function settingsOf(pairs: readonly (readonly [Term, Term])[], level: number): Settings {
  const settings: Settings = new Map()
  for (const [key, value] of pairs) {
    const name = plainText(key)
    const setting = settingOf(value, level + 1)
    if (name !== null && setting !== null && !settings.has(name)) settings.set(name, setting)
  }
  return settings
}

function settingsIn(items: readonly Term[], level: number): Setting[] {
  return items.map((item) => settingOf(item, level + 1)).filter((item) => item !== null)
}

/** Where the server's terminal takes Unicode, Erlang prints each byte of UTF-8 as a character of its own. */
export function printedText(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text
  const bytes = Buffer.from(text, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : text
}

/** The text of a setting; null: it is not set, or no text. */
export function textSetting(settings: Settings, key: string): string | null {
  const value = settings.get(key)
  return typeof value === 'string' && value !== '' && value !== 'undefined' ? value : null
}
