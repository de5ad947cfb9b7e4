import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, makeNode, objectKey, qualified } from '../node.ts'
import type { Snapshot } from '../session.ts'
import type { Constraint } from './constraints.ts'

interface TypeRow {
  oid: number
  typname: string
  typtype: 'e' | 'd' | 'c'
  owner: string
  typarray: number
  typrelid: number
  typnotnull: boolean
  base: string | null
  collation: string | null
  default: string | null
}

/** Enum, domain and free-standing composite types. */
export async function readTypes(snapshot: Snapshot, constraints: readonly Constraint[]): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<TypeRow>(
    `SELECT t.oid, t.typname, t.typtype::text AS typtype, pg_catalog.pg_get_userbyid(t.typowner) AS owner, t.typarray, t.typrelid,
            t.typnotnull, pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base,
            (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)
             FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
             WHERE c.oid = t.typcollation AND t.typtype = 'd' AND t.typcollation <> b.typcollation) AS collation,
            coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), pg_catalog.quote_literal(t.typdefault)) AS default
     FROM pg_catalog.pg_type t
     LEFT JOIN pg_catalog.pg_class r ON r.oid = t.typrelid
     LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
     WHERE t.typnamespace = $1 AND (t.typtype IN ('e', 'd') OR (t.typtype = 'c' AND r.relkind = 'c'))
     ORDER BY t.typname`,
    [snapshot.schemaOid],
  )
  const labels = await readEnumLabels(snapshot)
  const attributes = await readAttributes(snapshot)
  return rows.flatMap((row) => {
    if (row.typtype === 'd') {
      return domainNodes(
        snapshot.schema,
        row,
        constraints.filter((constraint) => constraint.typeOid === row.oid),
      )
    }
    if (row.typtype === 'e') return [enumNode(snapshot.schema, row, labels.get(row.oid) ?? [])]
    return [compositeNode(snapshot.schema, row, attributes.get(row.typrelid) ?? [])]
  })
}

function typeNode(schema: string, row: TypeRow, kind: 'TYPE' | 'DOMAIN', definition: () => string): DumpNode {
  const target = qualified(schema, row.typname)
  const key = objectKey('pg_type', row.oid)
  const includes = row.typarray ? [objectKey('pg_type', row.typarray)] : []
  if (row.typrelid) includes.push(objectKey('pg_class', row.typrelid))
  const node = makeNode({
    key,
    kind,
    name: row.typname,
    owner: row.owner,
    includes,
    write: () => `${definition()}\n\n\nALTER ${kind} ${target} OWNER TO ${quoteIdentifier(row.owner)};`,
  })
  node.comments.set(key, `${kind} ${target}`)
  node.grants.set(key, { on: `TYPE ${target}` })
  return node
}

function enumNode(schema: string, row: TypeRow, labels: readonly string[]): DumpNode {
  const list = labels.map((label) => `\n    ${quoteLiteral(label)}`).join(',')
  return typeNode(schema, row, 'TYPE', () => `CREATE TYPE ${qualified(schema, row.typname)} AS ENUM (${list}\n);`)
}

interface AttributeRow {
  attrelid: number
  attnum: number
  attname: string
  type: string
  collation: string | null
}

function compositeNode(schema: string, row: TypeRow, attributes: readonly AttributeRow[]): DumpNode {
  const target = qualified(schema, row.typname)
  const list = attributes
    .map((column) => {
      const collation = column.collation ? ` COLLATE ${column.collation}` : ''
      return `\n\t${quoteIdentifier(column.attname)} ${column.type}${collation}`
    })
    .join(',')
  const node = typeNode(schema, row, 'TYPE', () => `CREATE TYPE ${target} AS (${list}\n);`)
  for (const column of attributes) {
    const key = `${objectKey('pg_class', row.typrelid)}/${column.attnum}`
    node.comments.set(key, `COLUMN ${target}.${quoteIdentifier(column.attname)}`)
  }
  return node
}

/** A domain and its checks. A check that uses a function which takes the domain is added afterwards. */
function domainNodes(schema: string, row: TypeRow, constraints: readonly Constraint[]): DumpNode[] {
  const target = qualified(schema, row.typname)
  const notNull = constraints.find((constraint) => constraint.type === 'n')
  const node: DumpNode = typeNode(schema, row, 'DOMAIN', () => {
    const clauses = [`CREATE DOMAIN ${target} AS ${row.base}`]
    if (row.collation) clauses.push(` COLLATE ${row.collation}`)
    // since PostgreSQL 17 the NOT NULL of a domain is a constraint with a name
    if (row.typnotnull) clauses.push(`${notNull ? `\n\tCONSTRAINT ${quoteIdentifier(notNull.name)}` : ''} NOT NULL`)
    if (row.default !== null) clauses.push(` DEFAULT ${row.default}`)
    for (const check of checks) {
      if (check.node.inside)
        clauses.push(`\n\tCONSTRAINT ${quoteIdentifier(check.constraint.name)} ${check.constraint.definition}`)
    }
    return `${clauses.join('')};`
  })
  if (notNull) addComment(node, notNull, target)
  const checks = constraints
    .filter((constraint) => constraint.type === 'c')
    .map((constraint) => {
      const check = makeNode({
        key: objectKey('pg_constraint', constraint.oid),
        kind: 'CHECK CONSTRAINT',
        name: `${row.typname} ${constraint.name}`,
        owner: row.owner,
        needs: [node.key],
        inside: constraint.validated ? node : null,
        write: () => `ALTER DOMAIN ${target}\n    ADD CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.definition};`,
      })
      addComment(check, constraint, target)
      return { constraint, node: check }
    })
  return [node, ...checks.map((check) => check.node)]
}

function addComment(node: DumpNode, constraint: Constraint, domain: string): void {
  node.comments.set(
    objectKey('pg_constraint', constraint.oid),
    `CONSTRAINT ${quoteIdentifier(constraint.name)} ON DOMAIN ${domain}`,
  )
}

async function readEnumLabels(snapshot: Snapshot): Promise<Map<number, string[]>> {
  const { rows } = await snapshot.client.query<{ enumtypid: number; labels: string[] }>(
    `SELECT e.enumtypid, pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
     FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = $1 GROUP BY 1`,
    [snapshot.schemaOid],
  )
  return new Map(rows.map((row) => [row.enumtypid, row.labels]))
}

async function readAttributes(snapshot: Snapshot): Promise<Map<number, AttributeRow[]>> {
  const { rows } = await snapshot.client.query<AttributeRow>(
    `SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
            (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)
             FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
             WHERE c.oid = a.attcollation AND a.attcollation <> t.typcollation) AS collation
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE r.relnamespace = $1 AND r.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attrelid, a.attnum`,
    [snapshot.schemaOid],
  )
  const byRelation = new Map<number, AttributeRow[]>()
  for (const row of rows) {
    const list = byRelation.get(row.attrelid)
    if (list) list.push(row)
    else byRelation.set(row.attrelid, [row])
  }
  return byRelation
}
