import { quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, objectKey } from '../node.ts'
import type { Snapshot } from '../session.ts'

/** `COMMENT ON` statements by the entry that they follow. */
export async function readComments(snapshot: Snapshot, nodes: readonly DumpNode[]): Promise<Map<DumpNode, string[]>> {
  // 16384 is where the ids of user-made objects begin; only the schema "public" lies below
  const { rows } = await snapshot.client.query<{ catalogue: string; oid: number; sub: number; text: string }>(
    `SELECT c.relname AS catalogue, d.objoid AS oid, d.objsubid AS sub, d.description AS text
     FROM pg_catalog.pg_description d JOIN pg_catalog.pg_class c ON c.oid = d.classoid
     WHERE d.objoid >= 16384 OR (d.classoid = 'pg_catalog.pg_namespace'::regclass AND d.objoid = $1)
     ORDER BY c.relname, d.objoid, d.objsubid`,
    [snapshot.schemaOid],
  )
  const targets = new Map<string, { node: DumpNode; target: string }>()
  for (const node of nodes) for (const [key, target] of node.comments) targets.set(key, { node, target })
  const comments = new Map<DumpNode, string[]>()
  for (const row of rows) {
    const object = objectKey(row.catalogue, row.oid)
    const found = targets.get(row.sub ? `${object}/${row.sub}` : object)
    if (!found) continue
    const statement = `COMMENT ON ${found.target} IS ${quoteLiteral(row.text)};`
    const list = comments.get(found.node)
    if (list) list.push(statement)
    else comments.set(found.node, [statement])
  }
  return comments
}
