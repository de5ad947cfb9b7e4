import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, dataKey, makeNode, objectKey, qualified } from '../node.ts'
import type { Snapshot } from '../session.ts'
import type { Constraint } from './constraints.ts'
import type { Relation } from './relations.ts'

/** Foreign keys: after the rows of both tables, so that circles of tables load. */
export function foreignKeyNodes(
  schema: string,
  relations: ReadonlyMap<number, Relation>,
  constraints: readonly Constraint[],
): DumpNode[] {
  return constraints.flatMap((constraint) => {
    const table = relations.get(constraint.relationOid)
    if (constraint.type !== 'f' || !table) return []
    const target = qualified(schema, table.name)
    const name = quoteIdentifier(constraint.name)
    const key = objectKey('pg_constraint', constraint.oid)
    const node = makeNode({
      key,
      kind: 'FK CONSTRAINT',
      name: `${table.name} ${constraint.name}`,
      owner: table.owner,
      needs: [dataKey(table.oid), dataKey(constraint.foreignOid)],
      write: () => `ALTER TABLE ONLY ${target}\n    ADD CONSTRAINT ${name} ${constraint.definition};`,
    })
    node.comments.set(key, `CONSTRAINT ${name} ON ${target}`)
    return [node]
  })
}

interface TriggerRow {
  oid: number
  name: string
  relationOid: number
  constraintOid: number
  enabled: string
  definition: string
}

/** Triggers of tables and views, with their state. */
export async function readTriggers(snapshot: Snapshot, relations: ReadonlyMap<number, Relation>): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<TriggerRow>(
    `SELECT t.oid, t.tgname AS name, t.tgrelid AS "relationOid", t.tgconstraint AS "constraintOid", t.tgenabled::text AS enabled,
            pg_catalog.pg_get_triggerdef(t.oid) AS definition
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = $1 AND NOT t.tgisinternal ORDER BY t.tgname`,
    [snapshot.schemaOid],
  )
  return rows.flatMap((row) => {
    const relation = relations.get(row.relationOid)
    if (!relation) return []
    const target = qualified(snapshot.schema, relation.name)
    const name = quoteIdentifier(row.name)
    const key = objectKey('pg_trigger', row.oid)
    const state = { D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' }[row.enabled]
    const node = makeNode({
      key,
      kind: 'TRIGGER',
      name: `${relation.name} ${row.name}`,
      owner: relation.owner,
      includes: row.constraintOid ? [objectKey('pg_constraint', row.constraintOid)] : [],
      needs: relation.kind === 'r' ? [dataKey(relation.oid)] : [],
      write: () => `${row.definition};${state ? `\n\n\nALTER TABLE ${target} ${state} TRIGGER ${name};` : ''}`,
    })
    node.comments.set(key, `TRIGGER ${name} ON ${target}`)
    return [node]
  })
}

interface StatisticsRow {
  oid: number
  name: string
  owner: string
  definition: string
  target: number | null
}

/** Extended statistics (their definition; the figures are made by ANALYZE). */
export async function readStatistics(snapshot: Snapshot): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<StatisticsRow>(
    `SELECT s.oid, s.stxname AS name, pg_catalog.pg_get_userbyid(s.stxowner) AS owner,
            pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition, nullif(s.stxstattarget, -1) AS target
     FROM pg_catalog.pg_statistic_ext s WHERE s.stxnamespace = $1 ORDER BY s.stxname`,
    [snapshot.schemaOid],
  )
  return rows.map((row) => {
    const target = qualified(snapshot.schema, row.name)
    const key = objectKey('pg_statistic_ext', row.oid)
    const node = makeNode({
      key,
      kind: 'STATISTICS',
      name: row.name,
      owner: row.owner,
      write: () =>
        [
          `${row.definition};`,
          ...(row.target === null ? [] : [`ALTER STATISTICS ${target} SET STATISTICS ${row.target};`]),
          `ALTER STATISTICS ${target} OWNER TO ${quoteIdentifier(row.owner)};`,
        ].join('\n\n\n'),
    })
    node.comments.set(key, `STATISTICS ${target}`)
    return node
  })
}
