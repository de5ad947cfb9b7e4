import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { formatPlural } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, some, warning } from './check.ts'

interface ForeignKey {
  name: string
  table: string
  valid: boolean
  refers: string
}

/** Every foreign key holds, those that the dump left unchecked too; and those that a site lives by are there. */
export async function checkForeignKeys({ client, schema }: Copy): Promise<Finding> {
  const { rows: keys } = await client.query<ForeignKey>(
    `SELECT k.conname AS name, c.relname AS table, k.convalidated AS valid, r.relname AS refers
     FROM pg_catalog.pg_constraint k
     JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
     WHERE k.contype = 'f' AND n.nspname = $1 AND k.conparentid = 0 ORDER BY 2, 1`,
    [schema],
  )
  const broken: string[] = []
  for (const { name, table, valid } of keys) {
    if (valid) continue
    const target = `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
    try {
      await client.query(`ALTER TABLE ${target} VALIDATE CONSTRAINT ${quoteIdentifier(name)}`)
    } catch (error) {
      // 23503: foreign key violation
      if ((error as { code?: string }).code !== '23503') throw error
      broken.push(`${name} of ${table}`)
    }
  }
  if (broken.length > 0) return failed(`Rows refer to others that are not there: ${some(broken)}`)
  const missing = ['edge', 'medium', 'identity'].filter(
    (table) => !keys.some((key) => key.table === table && key.refers === 'rsc'),
  )
  if (missing.length > 0) {
    return warning(`${formatPlural(keys.length, 'foreign key')}, but none from ${some(missing)} to rsc: a site has them`)
  }
  return passed(`${formatPlural(keys.length, 'foreign key')}, all checked`)
}
