import { type QuerySession, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { some } from '#engine/foundation/plans/check.ts'
import { AppError } from '#shared/errors.ts'
import { formatCount, formatPlural } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { ExpectedContent } from './plan/stored-plan.ts'

/**
 * Looks at a schema that was just loaded, in the session that loaded it, before anybody else sees it: each table has the
 * rows that the dump has, each constraint is there, no sequence lags behind its column.
 * @returns what was found; warnings are the backup's own state, which is restored as it is
 * @throws AppError `rows-differ`, `constraints-missing`: the load must not be committed
 */
export async function verifyLoaded(
  client: QuerySession,
  schema: string,
  expected: ExpectedContent,
  onTable: (name: string) => void,
): Promise<PlanCheck[]> {
  return [
    await checkRows(client, schema, expected, onTable),
    await checkConstraints(client, schema, expected),
    await checkForeignKeys(client, schema),
    await checkSequences(client, schema),
  ]
}

async function checkRows(
  client: QuerySession,
  schema: string,
  expected: ExpectedContent,
  onTable: (name: string) => void,
): Promise<PlanCheck> {
  const differing: string[] = []
  let sum = 0
  for (const [table, rows] of expected.rows) {
    onTable(table)
    const { rows: counted } = await client.query<{ count: string }>(
      `SELECT pg_catalog.count(*) FROM ONLY ${quoteIdentifier(schema)}.${quoteIdentifier(table)}`,
    )
    const count = Number(counted[0]?.count)
    sum += count
    if (count !== rows) differing.push(`${table} has ${formatCount(count)} rows instead of ${formatCount(rows)}`)
  }
  if (differing.length > 0) {
    throw new AppError('rows-differ', `The database does not hold what the dump has: ${some(differing)}.`, {
      hint: 'Does a function of the dump change rows while they are loaded? Choose another backup.',
      details: { differing: differing.slice(0, 50) },
    })
  }
  return found('Rows', `${formatCount(sum)} rows in ${formatPlural(expected.rows.size, 'table')}, as many as the dump has`)
}

async function checkConstraints(client: QuerySession, schema: string, expected: ExpectedContent): Promise<PlanCheck> {
  const { rows } = await client.query<{ name: string; count: number }>(
    `SELECT c.conname AS name, pg_catalog.count(*)::int AS count FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = $1 GROUP BY 1`,
    [schema],
  )
  const present = new Map(rows.map(({ name, count }) => [name, count]))
  const missing = [...expected.constraints].filter(([name, count]) => (present.get(name) ?? 0) < count).map(([name]) => name)
  if (missing.length > 0) {
    throw new AppError('constraints-missing', `Constraints of the dump are missing after the load: ${some(missing)}.`, {
      details: { missing: missing.slice(0, 50) },
    })
  }
  return found('Constraints', `All ${formatCount(sumOf(expected.constraints.values()))} of the dump are there`)
}

async function checkForeignKeys(client: QuerySession, schema: string): Promise<PlanCheck> {
  const { rows } = await client.query<{ name: string; is_valid: boolean }>(
    `SELECT c.conrelid::regclass::text || '.' || c.conname AS name, c.convalidated AS is_valid FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = $1 AND c.contype = 'f' ORDER BY 1`,
    [schema],
  )
  const unchecked = rows.filter(({ is_valid }) => !is_valid).map(({ name }) => name)
  return unchecked.length === 0
    ? found('Foreign keys', `All ${formatCount(rows.length)} hold`)
    : found('Foreign keys', `Marked NOT VALID in the backup, so not checked: ${some(unchecked)}`, 'warning')
}

/** A dump may hold less than a live site would have: it is told, and restored as it is. */
async function checkSequences(client: QuerySession, schema: string): Promise<PlanCheck> {
  const { rows: sequences } = await client.query<{ sequence: string; table: string; column: string }>(
    `SELECT s.relname AS sequence, t.relname AS table, a.attname AS column
     FROM pg_catalog.pg_class s
     JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.oid
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relnamespace = n.oid
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     JOIN pg_catalog.pg_type y ON y.oid = a.atttypid AND y.typname IN ('int2', 'int4', 'int8')
     JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0
     WHERE n.nspname = $1 AND s.relkind = 'S' ORDER BY 1`,
    [schema],
  )
  const behind: string[] = []
  for (const { sequence, table, column } of sequences) {
    const name = (part: string) => `${quoteIdentifier(schema)}.${quoteIdentifier(part)}`
    const { rows } = await client.query<{ is_behind: boolean | null }>(
      `SELECT (SELECT pg_catalog.max(${quoteIdentifier(column)}) FROM ${name(table)}) >
         CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS is_behind FROM ${name(sequence)}`,
    )
    if (rows[0]?.is_behind) behind.push(`${sequence} (${table}.${column})`)
  }
  return behind.length === 0
    ? found('Sequences', `None of ${formatCount(sequences.length)} lags behind its column`)
    : found('Sequences', `Behind the highest value of their column, as in the backup: ${some(behind)}`, 'warning')
}

function found(name: string, finding: string, outcome: PlanCheck['outcome'] = 'passed'): PlanCheck {
  return { name, outcome, finding }
}

function sumOf(counts: Iterable<number>): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}
