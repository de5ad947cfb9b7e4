import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, dataKey, makeNode, objectKey, optionList, qualified } from '../node.ts'
import type { Snapshot } from '../session.ts'
import type { Constraint } from './constraints.ts'

interface IndexRow {
  oid: number
  name: string
  tableOid: number
  tableName: string
  tableKind: string
  owner: string
  definition: string
  options: string[] | null
  clustered: boolean
  replicaIdentity: boolean
  valid: boolean
  /** Column numbers of the index with a statistics target of their own. */
  statisticsColumns: number[]
  statisticsTargets: number[]
}

/** Indexes, and the constraints that stand on one: primary keys, unique, exclude. Notes tell of what is not copied. */
export async function readIndexes(
  snapshot: Snapshot,
  constraints: readonly Constraint[],
): Promise<{ nodes: DumpNode[]; notes: string[] }> {
  const { rows } = await snapshot.client.query<IndexRow>(
    `SELECT c.oid, c.relname AS name, t.oid AS "tableOid", t.relname AS "tableName", t.relkind::text AS "tableKind",
            pg_catalog.pg_get_userbyid(c.relowner) AS owner, pg_catalog.pg_get_indexdef(c.oid) AS definition,
            c.reloptions AS options, i.indisclustered AS clustered, i.indisreplident AS "replicaIdentity", i.indisvalid AS valid,
            coalesce(s.numbers, '{}') AS "statisticsColumns", coalesce(s.targets, '{}') AS "statisticsTargets"
     FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
     LEFT JOIN LATERAL (
       SELECT pg_catalog.array_agg(a.attnum::int4 ORDER BY a.attnum) AS numbers,
              pg_catalog.array_agg(a.attstattarget::int4 ORDER BY a.attnum) AS targets
       FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0
     ) s ON true
     WHERE t.relnamespace = $1 AND c.relkind = 'i' ORDER BY c.relname`,
    [snapshot.schemaOid],
  )
  const owners = new Map(
    constraints
      .filter((constraint) => ['p', 'u', 'x'].includes(constraint.type))
      .map((constraint) => [constraint.indexOid, constraint]),
  )
  const nodes: DumpNode[] = []
  const notes: string[] = []
  for (const row of rows) {
    const constraint = owners.get(row.oid)
    if (!row.valid && !constraint) {
      notes.push(`Index ${row.name} on ${row.tableName} is invalid (a CREATE INDEX CONCURRENTLY failed): it is left out.`)
      continue
    }
    nodes.push(constraint ? constraintNode(snapshot.schema, row, constraint) : indexNode(snapshot.schema, row))
  }
  return { nodes, notes }
}

function indexNode(schema: string, row: IndexRow): DumpNode {
  const key = objectKey('pg_class', row.oid)
  const node = makeNode({
    key,
    kind: 'INDEX',
    name: row.name,
    owner: row.owner,
    needs: rowsOf(row),
    write: () => [`${row.definition};`, ...indexSettings(schema, row)].join('\n\n\n'),
  })
  node.comments.set(key, `INDEX ${qualified(schema, row.name)}`)
  return node
}

function constraintNode(schema: string, row: IndexRow, constraint: Constraint): DumpNode {
  const table = qualified(schema, row.tableName)
  const name = quoteIdentifier(constraint.name)
  const key = objectKey('pg_constraint', constraint.oid)
  const node = makeNode({
    key,
    kind: 'CONSTRAINT',
    name: `${row.tableName} ${constraint.name}`,
    owner: row.owner,
    includes: [objectKey('pg_class', row.oid)],
    needs: rowsOf(row),
    write: () =>
      [
        `ALTER TABLE ONLY ${table}\n    ADD CONSTRAINT ${name} ${constraintDefinition(row, constraint)};`,
        ...indexSettings(schema, row),
      ].join('\n\n\n'),
  })
  node.comments.set(key, `CONSTRAINT ${name} ON ${table}`)
  node.comments.set(objectKey('pg_class', row.oid), `INDEX ${qualified(schema, row.name)}`)
  return node
}

/** `pg_get_constraintdef` leaves out the storage options of a key's index; they stand before DEFERRABLE. */
function constraintDefinition(row: IndexRow, constraint: Constraint): string {
  if (constraint.type === 'x' || !row.options?.length) return constraint.definition
  const timing = `${constraint.deferrable ? ' DEFERRABLE' : ''}${constraint.deferred ? ' INITIALLY DEFERRED' : ''}`
  const head = constraint.definition.slice(0, constraint.definition.length - timing.length)
  return `${head} WITH (${optionList(row.options, quoteLiteral).join(', ')})${timing}`
}

function indexSettings(schema: string, row: IndexRow): string[] {
  const table = qualified(schema, row.tableName)
  const index = quoteIdentifier(row.name)
  const statements = row.statisticsColumns.map(
    (column, at) =>
      `ALTER INDEX ${qualified(schema, row.name)} ALTER COLUMN ${column} SET STATISTICS ${row.statisticsTargets[at]};`,
  )
  if (row.clustered) statements.push(`ALTER TABLE ${table} CLUSTER ON ${index};`)
  if (row.replicaIdentity) statements.push(`ALTER TABLE ONLY ${table} REPLICA IDENTITY USING INDEX ${index};`)
  return statements
}

function rowsOf(row: IndexRow): string[] {
  return row.tableKind === 'r'
    ? [objectKey('pg_class', row.tableOid), dataKey(row.tableOid)]
    : [objectKey('pg_class', row.tableOid)]
}
