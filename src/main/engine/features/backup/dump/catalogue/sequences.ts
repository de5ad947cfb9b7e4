import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, dataKey, makeNode, objectKey, qualified } from '../node.ts'
import type { Snapshot } from '../session.ts'

interface SequenceRow {
  oid: number
  relname: string
  owner: string
  persistence: string
  type: string
  start: string
  increment: string
  min: string
  max: string
  cache: string
  cycle: boolean
  /** 'a' owned by a column, 'i' made by an identity column, null free. */
  link: 'a' | 'i' | null
  tableOid: number | null
  tableSchema: string | null
  tableName: string | null
  tablePersistence: string | null
  columnName: string | null
  identity: 'a' | 'd' | null
}

/**
 * Sequences, the columns that own them, identity columns, and their positions. A sequence's position is outside of
 * any snapshot; it is read after the snapshot was taken, so that it is never behind the rows.
 */
export async function readSequences(snapshot: Snapshot): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<SequenceRow>(
    `SELECT c.oid, c.relname, pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relpersistence::text AS persistence,
            pg_catalog.format_type(s.seqtypid, NULL) AS type, s.seqstart::text AS start, s.seqincrement::text AS increment,
            s.seqmin::text AS min, s.seqmax::text AS max, s.seqcache::text AS cache, s.seqcycle AS cycle,
            d.deptype::text AS link, t.oid AS "tableOid", n.nspname AS "tableSchema", t.relname AS "tableName",
            t.relpersistence::text AS "tablePersistence", a.attname AS "columnName", nullif(a.attidentity::text, '') AS identity
     FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
     LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
       AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE c.relnamespace = $1 AND c.relkind = 'S' ORDER BY c.relname`,
    [snapshot.schemaOid],
  )
  const nodes: DumpNode[] = []
  for (const row of rows) {
    const sequence = sequenceNode(snapshot.schema, row)
    nodes.push(sequence)
    if (row.link === 'a') nodes.push(ownedByNode(snapshot.schema, row))
    nodes.push(await positionNode(snapshot, row, sequence))
  }
  return nodes
}

function sequenceNode(schema: string, row: SequenceRow): DumpNode {
  const target = qualified(schema, row.relname)
  const key = objectKey('pg_class', row.oid)
  const node = makeNode({
    key,
    kind: row.link === 'i' ? 'IDENTITY' : 'SEQUENCE',
    name: row.relname,
    owner: row.owner,
    needs: row.link === 'i' && row.tableOid !== null ? [objectKey('pg_class', row.tableOid)] : [],
    write: () => (row.link === 'i' ? identityStatements(schema, row) : sequenceStatements(schema, row)),
  })
  node.comments.set(key, `SEQUENCE ${target}`)
  node.grants.set(key, { on: `SEQUENCE ${target}` })
  return node
}

function sequenceStatements(schema: string, row: SequenceRow): string {
  const target = qualified(schema, row.relname)
  const unlogged = row.persistence === 'u' ? 'UNLOGGED ' : ''
  return [
    `CREATE ${unlogged}SEQUENCE ${target}\n    AS ${row.type}\n${sequenceOptions(row)};`,
    `ALTER SEQUENCE ${target} OWNER TO ${quoteIdentifier(row.owner)};`,
  ].join('\n\n\n')
}

function identityStatements(schema: string, row: SequenceRow): string {
  const target = qualified(schema, row.relname)
  const table = qualified(row.tableSchema ?? schema, row.tableName ?? '')
  const mode = row.identity === 'd' ? 'BY DEFAULT' : 'ALWAYS'
  const statements = [
    `ALTER TABLE ${table} ALTER COLUMN ${quoteIdentifier(row.columnName ?? '')} ADD GENERATED ${mode} AS IDENTITY (\n` +
      `    SEQUENCE NAME ${target}\n${sequenceOptions(row)}\n);`,
  ]
  // it is born with the persistence of its table
  if (row.persistence !== row.tablePersistence) {
    statements.push(`ALTER SEQUENCE ${target} SET ${row.persistence === 'u' ? 'UNLOGGED' : 'LOGGED'};`)
  }
  return statements.join('\n\n\n')
}

function sequenceOptions(row: SequenceRow): string {
  const lines = [`START WITH ${row.start}`, `INCREMENT BY ${row.increment}`, `MINVALUE ${row.min}`, `MAXVALUE ${row.max}`]
  lines.push(`CACHE ${row.cache}`)
  if (row.cycle) lines.push('CYCLE')
  return lines.map((line) => `    ${line}`).join('\n')
}

function ownedByNode(schema: string, row: SequenceRow): DumpNode {
  const column = `${qualified(row.tableSchema ?? schema, row.tableName ?? '')}.${quoteIdentifier(row.columnName ?? '')}`
  return makeNode({
    key: objectKey('owned-by', row.oid),
    kind: 'SEQUENCE OWNED BY',
    name: row.relname,
    owner: row.owner,
    needs: [objectKey('pg_class', row.oid), objectKey('pg_class', row.tableOid ?? 0)],
    write: () => `ALTER SEQUENCE ${qualified(schema, row.relname)} OWNED BY ${column};`,
  })
}

async function positionNode(snapshot: Snapshot, row: SequenceRow, sequence: DumpNode): Promise<DumpNode> {
  const target = qualified(snapshot.schema, row.relname)
  const position = await snapshot.client.query<{ last: string; called: boolean }>(
    `SELECT last_value::text AS last, is_called AS called FROM ${target}`,
  )
  const at = position.rows[0]
  if (!at) throw new Error(`sequence ${target} has no row`)
  return makeNode({
    key: dataKey(row.oid),
    kind: 'SEQUENCE SET',
    name: row.relname,
    owner: row.owner,
    needs: [sequence.key],
    write: () => `SELECT pg_catalog.setval(${quoteLiteral(target)}, ${at.last}, ${at.called});`,
  })
}
