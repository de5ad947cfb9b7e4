import { isSymbol, type Token } from '../script/sql-tokens.ts'
import type { Cursor } from './cursor.ts'

const OWN = new Set(['pg_catalog', 'information_schema'])
const MAX = 200

const isName = (token: Token | undefined) => token?.kind === 'name' || token?.kind === 'word'

/** `schema.name` of everything that a statement names outside of the site's schema and PostgreSQL's own. */
export function outsideReferences({ tokens, schema }: Cursor): string[] {
  const found = new Set<string>()
  for (let at = 1; at + 1 < tokens.length && found.size < MAX; at += 1) {
    const before = tokens[at - 1]
    const after = tokens[at + 1]
    if (!isSymbol(tokens[at], '.') || !before || !after || !isName(before) || !isName(after)) continue
    if (isSymbol(tokens[at - 2], '.') || before.value === schema || OWN.has(before.value)) continue
    found.add(`${before.value}.${after.value}`)
  }
  return [...found]
}
