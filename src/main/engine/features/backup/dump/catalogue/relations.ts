import type { Snapshot } from '../session.ts'

export interface Relation {
  oid: number
  name: string
  kind: 'r' | 'v' | 'm'
  owner: string
  persistence: string
  /** Storage options as the catalogue keeps them: `fillfactor=70`. */
  options: string[] | null
  toastOptions: string[] | null
  replicaIdentity: string
  rowTypeOid: number
  arrayTypeOid: number
  /** A materialised view that holds rows. */
  populated: boolean
  /** Key of the rule that holds a view's query, or 0. */
  ruleOid: number
  /** A view's query, without final semicolon. */
  query: string | null
}

/** Tables, views and materialised views. */
export async function readRelations(snapshot: Snapshot): Promise<Relation[]> {
  const { rows } = await snapshot.client.query<Relation>(
    `SELECT c.oid, c.relname AS name, c.relkind::text AS kind, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
            c.relpersistence::text AS persistence, c.reloptions AS options, toast.reloptions AS "toastOptions",
            c.relreplident::text AS "replicaIdentity", c.reltype AS "rowTypeOid", coalesce(t.typarray, 0)::oid AS "arrayTypeOid",
            c.relispopulated AS populated, coalesce(w.oid, 0)::oid AS "ruleOid",
            CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';') END AS query
     FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid AND c.reltoastrelid <> 0
     LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype
     LEFT JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid AND w.rulename = '_RETURN'
     WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'v', 'm') ORDER BY c.relname`,
    [snapshot.schemaOid],
  )
  return rows
}
