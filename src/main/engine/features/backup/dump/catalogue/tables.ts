import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, dataKey, makeNode, objectKey, optionList, qualified } from '../node.ts'
import type { Column } from './columns.ts'
import { columnSettings } from './columns.ts'
import type { Constraint } from './constraints.ts'
import type { Relation } from './relations.ts'

/** A table with its defaults, checks, rows and not-null constraints. */
export function tableNodes(
  schema: string,
  table: Relation,
  columns: readonly Column[],
  constraints: readonly Constraint[],
): DumpNode[] {
  const target = qualified(schema, table.name)
  const key = objectKey('pg_class', table.oid)
  const notNulls = new Map(
    constraints.filter((constraint) => constraint.type === 'n').map((constraint) => [constraint.columns[0], constraint]),
  )
  const node: DumpNode = makeNode({
    key,
    kind: 'TABLE',
    name: table.name,
    owner: table.owner,
    includes: rowTypes(table),
    write: () => tableStatements(target, table, columns, { defaults, checks, notNulls }),
  })
  const defaults = defaultNodes(node, `TABLE ONLY ${target}`, columns)
  const checks = checkNodes(node, target, constraints)
  node.comments.set(key, `TABLE ${target}`)
  nameColumns(node, key, target, columns)
  node.grants.set(key, { on: `TABLE ${target}` })
  const late: DumpNode[] = []
  for (const constraint of notNulls.values()) {
    const comment = `CONSTRAINT ${quoteIdentifier(constraint.name)} ON ${target}`
    if (constraint.validated) node.comments.set(objectKey('pg_constraint', constraint.oid), comment)
    else late.push(lateConstraint(node, target, constraint))
  }
  return [node, ...defaults.values(), ...checks.map((check) => check.node), ...late, rowsNode(table, target, columns)]
}

export function rowTypes(relation: Relation): string[] {
  return [relation.rowTypeOid, relation.arrayTypeOid].filter((oid) => oid !== 0).map((oid) => objectKey('pg_type', oid))
}

/** Registers the columns for comments and grants; a row type's own for the rare comment on it. */
export function nameColumns(node: DumpNode, key: string, target: string, columns: readonly Column[]): void {
  for (const column of columns) {
    const name = quoteIdentifier(column.name)
    node.comments.set(`${key}/${column.number}`, `COLUMN ${target}.${name}`)
    node.grants.set(`${key}/${column.number}`, { on: `TABLE ${target}`, column: name })
  }
  const rowType = node.includes[0]
  if (rowType?.startsWith('pg_type/')) {
    node.comments.set(rowType, `TYPE ${target}`)
    node.grants.set(rowType, { on: `TYPE ${target}` })
  }
}

/** Defaults of plain columns; those of generated ones belong to the column. */
export function defaultNodes(node: DumpNode, alter: string, columns: readonly Column[]): Map<number, DumpNode> {
  const defaults = new Map<number, DumpNode>()
  for (const column of columns) {
    if (column.defaultOid === null || column.defaultText === null) continue
    if (column.generated) {
      node.includes.push(objectKey('pg_attrdef', column.defaultOid))
      continue
    }
    const part = makeNode({
      key: objectKey('pg_attrdef', column.defaultOid),
      kind: 'DEFAULT',
      name: `${node.name} ${column.name}`,
      owner: node.owner,
      needs: [node.key],
      inside: node.kind === 'TABLE' ? node : null,
      write: () => `ALTER ${alter} ALTER COLUMN ${quoteIdentifier(column.name)} SET DEFAULT ${column.defaultText};`,
    })
    defaults.set(column.number, part)
  }
  return defaults
}

interface Check {
  constraint: Constraint
  node: DumpNode
}

function checkNodes(node: DumpNode, target: string, constraints: readonly Constraint[]): Check[] {
  return constraints
    .filter((constraint) => constraint.type === 'c')
    .map((constraint) => {
      // rows that break a check which is not validated must be let in first
      if (!constraint.validated) return { constraint, node: lateConstraint(node, target, constraint) }
      const check = constraintNode(node, target, constraint, 'CHECK CONSTRAINT')
      check.inside = node
      node.parts.push(check)
      return { constraint, node: check }
    })
}

function constraintNode(table: DumpNode, target: string, constraint: Constraint, kind: 'CHECK CONSTRAINT'): DumpNode {
  const key = objectKey('pg_constraint', constraint.oid)
  const name = quoteIdentifier(constraint.name)
  const node = makeNode({
    key,
    kind,
    name: `${table.name} ${constraint.name}`,
    owner: table.owner,
    needs: [table.key],
    write: () => `ALTER TABLE ONLY ${target}\n    ADD CONSTRAINT ${name} ${constraint.definition};`,
  })
  node.comments.set(key, `CONSTRAINT ${name} ON ${target}`)
  return node
}

function lateConstraint(table: DumpNode, target: string, constraint: Constraint): DumpNode {
  const node = constraintNode(table, target, constraint, 'CHECK CONSTRAINT')
  node.needs.add(dataKey(Number(table.key.split('/')[1])))
  return node
}

interface TableParts {
  defaults: Map<number, DumpNode>
  checks: Check[]
  notNulls: Map<number | undefined, Constraint>
}

function tableStatements(target: string, table: Relation, columns: readonly Column[], parts: TableParts): string {
  const lines = columns.map((column) => columnLine(column, parts))
  for (const { constraint, node } of parts.checks) {
    if (node.inside) lines.push(`CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.definition}`)
  }
  const body = lines.length ? `(\n${lines.map((line) => `    ${line}`).join(',\n')}\n)` : '(\n)'
  const options = [
    ...optionList(table.options, quoteLiteral),
    ...optionList(table.toastOptions, quoteLiteral, `${quoteIdentifier('toast')}.`),
  ]
  const withOptions = options.length ? `\nWITH (${options.join(', ')})` : ''
  const unlogged = table.persistence === 'u' ? 'UNLOGGED ' : ''
  const statements = [`CREATE ${unlogged}TABLE ${target} ${body}${withOptions};`]
  for (const column of columns) statements.push(...columnSettings(`ALTER TABLE ONLY ${target}`, column))
  if (table.replicaIdentity === 'f') statements.push(`ALTER TABLE ONLY ${target} REPLICA IDENTITY FULL;`)
  if (table.replicaIdentity === 'n') statements.push(`ALTER TABLE ONLY ${target} REPLICA IDENTITY NOTHING;`)
  statements.push(`ALTER TABLE ${target} OWNER TO ${quoteIdentifier(table.owner)};`)
  return statements.join('\n\n\n')
}

function columnLine(column: Column, parts: TableParts): string {
  const words = [quoteIdentifier(column.name), column.type]
  if (column.collation) words.push(`COLLATE ${column.collation}`)
  const expression = column.defaultText ?? ''
  if (column.generated === 's') words.push(`GENERATED ALWAYS AS (${expression}) STORED`)
  else if (column.generated === 'v') words.push(`GENERATED ALWAYS AS (${expression}) VIRTUAL`)
  else if (parts.defaults.get(column.number)?.inside) words.push(`DEFAULT ${expression}`)
  // from PostgreSQL 18 on a NOT NULL has a name, and may wait to be validated
  const notNull = parts.notNulls.get(column.number)
  if (notNull?.validated) {
    words.push(`CONSTRAINT ${quoteIdentifier(notNull.name)} NOT NULL`)
    if (notNull.noInherit) words.push('NO INHERIT')
  } else if (column.notNull && !notNull) {
    words.push('NOT NULL')
  }
  return words.join(' ')
}

function rowsNode(table: Relation, target: string, columns: readonly Column[]): DumpNode {
  const names = columns.filter((column) => !column.generated).map((column) => quoteIdentifier(column.name))
  return makeNode({
    key: dataKey(table.oid),
    kind: 'TABLE DATA',
    name: table.name,
    owner: table.owner,
    needs: [objectKey('pg_class', table.oid)],
    rows: { table: target, columns: names.length ? ` (${names.join(', ')})` : '' },
    write: () => '',
  })
}
