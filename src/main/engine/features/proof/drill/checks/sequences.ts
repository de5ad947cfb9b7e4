import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { formatCount, formatPlural } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, some, warning } from './check.ts'

interface OwnedSequence {
  sequence: string
  table: string
  column: string
  /** Whether a value that is taken already can't be inserted again. */
  unique: boolean
}

/** Sequences not behind the columns that they number: the next insert would hit a number that is taken. */
export async function checkSequences({ client, schema }: Copy): Promise<Finding> {
  const { rows: sequences } = await client.query<OwnedSequence>(
    `SELECT s.relname AS sequence, t.relname AS table, a.attname AS column,
            EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid AND i.indisunique AND i.indnkeyatts = 1
                    AND i.indkey[0] = a.attnum AND i.indpred IS NULL) AS unique
     FROM pg_catalog.pg_class s
     JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 AND NOT q.seqcycle
     JOIN pg_catalog.pg_depend d ON d.objid = s.oid AND d.classid = 'pg_catalog.pg_class'::regclass
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
     JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE n.nspname = $1 ORDER BY 1`,
    [schema],
  )
  const behind: { text: string; unique: boolean }[] = []
  for (const { sequence, table, column, unique } of sequences) {
    const name = (object: string) => `${quoteIdentifier(schema)}.${quoteIdentifier(object)}`
    const { rows } = await client.query<{ next: string; highest: string }>(
      `SELECT s.next, c.highest FROM (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END AS next FROM ${name(sequence)}) s,
         (SELECT max(${quoteIdentifier(column)})::bigint AS highest FROM ${name(table)}) c
       WHERE c.highest >= s.next`,
    )
    const [found] = rows
    if (found) {
      behind.push({
        text: `${sequence} goes on at ${formatCount(Number(found.next))}, ${table}.${column} has ${formatCount(Number(found.highest))}`,
        unique,
      })
    }
  }
  const taken = behind.filter(({ unique }) => unique)
  if (taken.length > 0) return failed(`The next insert would take a number that is taken: ${some(taken.map(({ text }) => text))}`)
  if (behind.length > 0) return warning(`Behind their columns: ${some(behind.map(({ text }) => text))}`)
  return passed(`${formatPlural(sequences.length, 'sequence')}, none behind its column`)
}
