import { isSymbol, isWord } from '../script/sql-tokens.ts'
import type { Cursor } from './cursor.ts'

const MAX = 50

/** Functions of PostgreSQL itself that run queries, or reach files, other sessions and the server. */
const REACHING = /^(?:pg_|lo_|loread$|lowrite$|dblink|set_config$|setval$|ts_stat$|ts_rewrite$|.*_to_xml|query_to_)/
/** Of those, what only tells something. */
const HARMLESS = /^pg_(?:typeof|column_size|size_pretty|size_bytes|backend_pid|current_\w+|client_encoding|get_\w+)$/

/** Functions that a statement calls from where it stands: those of the dump itself, and those that reach out. */
export function callsOf({ tokens, at: from, schema }: Cursor): string[] {
  const found = new Set<string>()
  for (let at = from; at + 1 < tokens.length && found.size < MAX; at += 1) {
    const token = tokens[at]
    if (!token || (token.kind !== 'word' && token.kind !== 'name') || !isSymbol(tokens[at + 1], '(')) continue
    const owner = isSymbol(tokens[at - 1], '.') ? tokens[at - 2]?.value : 'pg_catalog'
    const isTable = isWord(tokens[at - 3], 'references') || isWord(tokens[at - 1], 'references')
    if (isTable) continue
    const reaches = owner !== schema && REACHING.test(token.value) && !HARMLESS.test(token.value)
    if (owner === schema || reaches) found.add(`${owner}.${token.value}`)
  }
  return [...found]
}

/** Functions that make a range type work: `SUBTYPE_DIFF = schema.function`. */
export function rangeFunctions({ tokens, at: from, schema }: Cursor): string[] {
  const found: string[] = []
  for (let at = from; at + 4 < tokens.length && found.length < MAX; at += 1) {
    if (!isWord(tokens[at], 'subtype_diff', 'canonical') || tokens[at + 2]?.value !== schema) continue
    found.push(`${schema}.${tokens[at + 4]?.value ?? ''}`)
  }
  return found
}
