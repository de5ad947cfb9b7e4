import { quoteIdentifier, quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, makeNode, objectKey, optionList, qualified } from '../node.ts'
import { type Column, columnSettings } from './columns.ts'
import type { Relation } from './relations.ts'
import { defaultNodes, nameColumns, rowTypes } from './tables.ts'

/**
 * A view is a shape (name and columns) and a query. Written as one, unless something that the query uses needs the
 * shape: then a stand-in with empty columns comes first, and the query replaces it when its time has come.
 */
export function viewNodes(schema: string, view: Relation, columns: readonly Column[]): DumpNode[] {
  const target = qualified(schema, view.name)
  const key = objectKey('pg_class', view.oid)
  const options = withOptions(view)
  const owner = `ALTER TABLE ${target} OWNER TO ${quoteIdentifier(view.owner)};`
  const node: DumpNode = makeNode({
    key,
    kind: 'VIEW',
    name: view.name,
    owner: view.owner,
    includes: rowTypes(view),
    write: () =>
      definition.inside
        ? `CREATE VIEW ${target}${options} AS\n${view.query};\n\n\n${owner}`
        : `CREATE VIEW ${target} AS\n${standIn(columns)};\n\n\n${owner}`,
  })
  const definition: DumpNode = makeNode({
    key: objectKey('pg_rewrite', view.ruleOid),
    kind: 'VIEW DEFINITION',
    name: view.name,
    owner: view.owner,
    needs: [key],
    inside: node,
    write: () => `CREATE OR REPLACE VIEW ${target}${options} AS\n${view.query};`,
  })
  node.comments.set(key, `VIEW ${target}`)
  node.grants.set(key, { on: `TABLE ${target}` })
  nameColumns(node, key, target, columns)
  const defaults = defaultNodes(node, `TABLE ONLY ${target}`, columns)
  return [node, definition, ...defaults.values()]
}

function standIn(columns: readonly Column[]): string {
  const list = columns.map((column) => {
    const collation = column.collation ? ` COLLATE ${column.collation}` : ''
    return `    NULL::${column.type}${collation} AS ${quoteIdentifier(column.name)}`
  })
  return `SELECT\n${list.join(',\n')}`
}

/** A materialised view without its rows; {@link refreshNode} fills it at the end. */
export function materializedViewNode(schema: string, view: Relation, columns: readonly Column[]): DumpNode {
  const target = qualified(schema, view.name)
  const key = objectKey('pg_class', view.oid)
  const node = makeNode({
    key,
    kind: 'MATERIALIZED VIEW',
    name: view.name,
    owner: view.owner,
    includes: [...rowTypes(view), objectKey('pg_rewrite', view.ruleOid)],
    write: () =>
      [
        `CREATE MATERIALIZED VIEW ${target}${withOptions(view)} AS\n${view.query}\n  WITH NO DATA;`,
        ...columns.flatMap((column) => columnSettings(`ALTER TABLE ONLY ${target}`, column)),
        `ALTER TABLE ${target} OWNER TO ${quoteIdentifier(view.owner)};`,
      ].join('\n\n\n'),
  })
  node.comments.set(key, `MATERIALIZED VIEW ${target}`)
  node.grants.set(key, { on: `TABLE ${target}` })
  nameColumns(node, key, target, columns)
  return node
}

function refreshKey(viewOid: number): string {
  return objectKey('refresh', viewOid)
}

/** @param before materialised views that this one reads, directly or through views */
export function refreshNode(schema: string, view: Relation, before: readonly number[]): DumpNode {
  return makeNode({
    key: refreshKey(view.oid),
    kind: 'MATERIALIZED VIEW DATA',
    name: view.name,
    owner: view.owner,
    needs: [objectKey('pg_class', view.oid), ...before.map(refreshKey)],
    write: () => `REFRESH MATERIALIZED VIEW ${qualified(schema, view.name)};`,
  })
}

function withOptions(view: Relation): string {
  const options = [
    ...optionList(view.options, quoteLiteral),
    ...optionList(view.toastOptions, quoteLiteral, `${quoteIdentifier('toast')}.`),
  ]
  return options.length ? ` WITH (${options.join(', ')})` : ''
}
