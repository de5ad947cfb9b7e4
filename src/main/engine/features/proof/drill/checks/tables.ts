import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { formatCount, formatPlural } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, some, warning } from './check.ts'

/** Without these there is no site. Source: docs/formats.md, "Database tables". */
const NEEDED = ['rsc', 'edge', 'medium', 'identity', 'config']
/** Every Zotonic 1.x has these; older ones lack some. */
const USUAL = ['rsc_gone', 'medium_deleted', 'hierarchy', 'module']

/** The schema's tables with their exact rows. */
export async function countRows({ client, schema }: Pick<Copy, 'client' | 'schema'>): Promise<Record<string, number>> {
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
    [schema],
  )
  const counts: Record<string, number> = {}
  for (const { name } of tables) {
    const { rows } = await client.query<{ count: string }>(
      `SELECT count(*) FROM ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
    )
    counts[name] = Number(rows[0]?.count ?? 0)
  }
  return counts
}

export function checkTables({ rowCounts }: Pick<Copy, 'rowCounts'>): Finding {
  const missing = NEEDED.filter((table) => rowCounts[table] === undefined)
  if (missing.length > 0) return failed(`${some(missing)} ${missing.length === 1 ? 'is' : 'are'} missing: this is no whole site`)
  if (rowCounts.rsc === 0) return failed('rsc is empty: the site has not one page')
  const unusual = USUAL.filter((table) => rowCounts[table] === undefined)
  if (unusual.length > 0)
    return warning(`All that a site needs, but ${some(unusual)} ${unusual.length === 1 ? 'is' : 'are'} missing`)
  if (rowCounts.identity === 0) return warning('identity is empty: nobody could log in')
  const tables = formatPlural(Object.keys(rowCounts).length, 'table')
  return passed(
    `All there, in ${tables}: ${NEEDED.slice(0, 4)
      .map((table) => `${table} ${formatCount(rowCounts[table] ?? 0)}`)
      .join(', ')}`,
  )
}
